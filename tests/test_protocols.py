"""One entry of `PROTOCOLS` is all that a new protocol needs."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, draw_eyes

from fpgan import domains
from fpgan.comparison.comparison_report import comparison_csv, comparison_page, comparison_text
from fpgan.comparison.side_by_side import ComparedRun, compare
from fpgan.data.eyes import Eyes
from fpgan.domains import Direction, Domain, TrainedOn
from fpgan.evaluation.evaluation_report import scores_report
from fpgan.evaluation.examine import Examined, Parts, Sets, collect_estimates, examine, skip_reasons
from fpgan.evaluation.protocols import PROTOCOLS, Protocol, Style
from fpgan.evaluation.record import Evaluation, load_evaluation, save_evaluation
from fpgan.evaluation.summary import headline, summarize
from fpgan.evaluation.tables import write_error_table, write_person_table
from fpgan.figures.error_figures import error_distributions, person_errors
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import estimate_gaze, translate_pictures

NEW = {
    "backward_synthetic": Protocol(
        TrainedOn.SYNTHETIC, domains.TestedOn.TRANSLATED, Style("#F0E442", "-", "h")
    ),
    "three": Protocol(
        None,
        domains.TestedOn.REAL,
        Style("black", ":", "8"),
        average_of=("forward", "backward", "backward_synthetic"),
    ),
}


def parts(seed: int, count: int = 12) -> Parts:
    eyes = [draw_eyes(count, seed=3 * seed + i) for i in range(3)]
    return Parts(*(replace(each, person=np.array(["p12", "p13"] * (count // 2))) for each in eyes))


@pytest.fixture(scope="module")
def sets() -> Sets:
    return Sets(parts(0), parts(1), parts(2))


@pytest.fixture(scope="module")
def networks() -> Examined:
    torch.manual_seed(0)
    return Examined(
        gaze={kind: GazeNet(1, HEIGHT, WIDTH, "residual").eval() for kind in TrainedOn},
        landmarks=LandmarkNet(1, 1, 4).eval(),
        generators={direction: Generator(1, 4, 1).eval() for direction in Direction},
    )


@pytest.fixture
def _new(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, protocol in NEW.items():
        monkeypatch.setitem(PROTOCOLS, name, protocol)


@pytest.mark.usefixtures("_new")
def test_a_new_entry_is_estimated_reported_drawn_and_compared(
    tmp_path: Path, sets: Sets, networks: Examined
) -> None:
    findings = examine(networks, sets, seed=0, device=torch.device("cpu"))
    estimates = collect_estimates([findings], sets)
    assert list(estimates) == list(PROTOCOLS)
    translated = translate_pictures(networks.generators[Direction.R2S], sets.real.test.image)
    expected = estimate_gaze(networks.gaze[TrainedOn.SYNTHETIC], translated)
    np.testing.assert_array_equal(estimates["backward_synthetic"].gaze[0], expected)

    scores = summarize(estimates, protocol="", skipped={}, preservation={}, quality={})
    error = estimates["backward_synthetic"].mean
    assert scores["gaze_error_degrees"]["backward_synthetic"]["mean"] == error
    assert set(NEW) <= set(scores["against_no_adaptation"])
    assert headline(scores)["gaze_error"]["backward_synthetic"] == error
    text = scores_report(json.loads(json.dumps(scores)), [])
    (row,) = (line for line in text.splitlines() if line.startswith("│ backward synthetic"))
    assert f"{error:.2f}" in row
    assert "trained on S, tested on R" in row

    for figure in (error_distributions(estimates), person_errors(estimates)):
        lines = {line.get_label().split(":")[0]: line for line in figure.axes[0].get_lines()}
        assert lines["backward synthetic"].get_color() == "#F0E442"
        assert "mean gaze synthetic" not in lines
    write_person_table(tmp_path / "persons.csv", estimates)
    write_error_table(tmp_path / "errors.csv", estimates)
    assert "backward_synthetic" in (tmp_path / "persons.csv").read_text()
    assert "backward_synthetic" in (tmp_path / "errors.csv").read_text()

    tested = sets.tested(Domain.REAL)
    record = Evaluation(
        name="new",
        protocol="",
        seeds=(0,),
        person=tested.person,
        gaze=tested.gaze,
        head=tested.head,
        test_digest="",
        estimates={
            name: found.gaze.astype(np.float32)
            for name, found in estimates.items()
            if PROTOCOLS[name].on_real
        },
        skipped={},
        shown={},
        scores=scores,
        params={},
    )
    save_evaluation(tmp_path / "record", record)
    loaded = load_evaluation(tmp_path / "record")
    assert list(loaded.estimates) == list(record.estimates)
    runs = [
        ComparedRun(name, evaluation, "", None, None, None)
        for name, evaluation in (("first", record), ("second", loaded))
    ]
    comparison = compare(runs)
    (row,) = list(csv.DictReader(comparison_csv(comparison).splitlines()))[1:]
    assert float(row["backward_synthetic/mean"]) == pytest.approx(error, abs=1e-4)
    assert float(row["backward_synthetic/difference"]) == 0
    assert "backward synthetic" in " ".join(comparison_text(comparison).split())
    page = comparison_page(comparison, {}, arrows=False, landmarks=False)
    assert "trained on S, tested on R translated to S" in page


@pytest.mark.usefixtures("_new")
def test_a_protocol_is_skipped_with_its_estimator_its_parts_or_its_labels(
    sets: Sets, networks: Examined
) -> None:
    absent = {TrainedOn.SYNTHETIC: "no eyes to train on"}
    skipped = skip_reasons(sets, absent)
    missing = {"no_adaptation", "synthetic", *NEW}
    assert {name for name in skipped if name in PROTOCOLS} == missing
    assert {skipped[name] for name in missing} == {"no eyes to train on"}
    without = replace(networks, gaze={kind: networks.gaze[kind] for kind in TrainedOn if kind not in absent})
    findings = examine(without, sets, seed=0, device=torch.device("cpu"))
    assert set(collect_estimates([findings], sets)) == set(PROTOCOLS) - missing

    def unlabelled(eyes: Eyes) -> Eyes:
        return replace(eyes, gaze=np.full_like(eyes.gaze, np.nan))

    nobody = sets._replace(real=Parts(*map(unlabelled, sets.real)))
    skipped = skip_reasons(nobody, {})
    assert {name for name in skipped if name in PROTOCOLS} == {
        name for name, protocol in PROTOCOLS.items() if protocol.on_real
    }
    assert skipped["three"] == "the real test eyes have no gaze labels"
    findings = examine(networks, nobody, seed=0, device=torch.device("cpu"))
    assert set(collect_estimates([findings], nobody)) == {"mean_gaze_synthetic", "synthetic"}
