import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import draw_eyes
from estimating import made_up

from fpgan.errors import InputError
from fpgan.evaluation.evaluation_report import evaluation_report
from fpgan.evaluation.protocols import PROTOCOLS, Conditions, describe_all
from fpgan.evaluation.summary import summarize

QUALITY = {
    "sliced_wasserstein": {"before": 0.81, "after": 0.32, "floor": 0.21},
    "taken_for_target": 0.13,
}
KEPT = {
    "gaze_drift_degrees": 1.5,
    "landmark_drift_pixels": 0.5,
    "change": 20.0,
    "unchanged_share": 0.0,
    "cycle_error": 9.0,
}


def summary(**changes: Any) -> dict[str, Any]:
    estimates = made_up(**changes)
    estimates["synthetic"] = made_up(seed=1, persons=1)["forward"]
    return summarize(
        estimates,
        protocol="Test persons p12.",
        skipped={"backward": "no translator"},
        preservation={"s2r": KEPT, "r2s": KEPT},
        quality={"s2r": QUALITY},
    )


def test_the_summary_holds_what_papers_report() -> None:
    scores = summary()
    assert list(scores["gaze_error_degrees"]) == [
        "mean_gaze",
        "no_adaptation",
        "forward",
        "real_bound",
        "synthetic",
    ]
    forward = scores["gaze_error_degrees"]["forward"]
    estimates = made_up()["forward"]
    assert forward["mean"] == estimates.mean
    assert forward["low"] < forward["mean"] < forward["high"]
    assert forward["spread"] == estimates.spread
    assert forward["share_under_5"] < forward["share_under_7"]
    assert (forward["eyes"], forward["persons"], forward["seeds"]) == (180, 3, 2)
    assert (forward["over"], scores["gaze_error_degrees"]["synthetic"]["over"]) == ("persons", "eyes")
    assert scores["gaze_error_degrees"]["mean_gaze"]["spread"] is None
    # Only what was tested on R is compared with no adaptation.
    assert set(scores["against_no_adaptation"]) == {"mean_gaze", "forward", "real_bound"}
    assert scores["against_no_adaptation"]["forward"]["difference"] == pytest.approx(
        estimates.mean - made_up()["no_adaptation"].mean
    )
    json.dumps(scores, allow_nan=False)


def test_the_report_shows_errors_comparisons_and_what_was_skipped(tmp_path: Path) -> None:
    scores = summary()
    (tmp_path / "metrics.json").write_text(json.dumps(scores))
    (tmp_path / "gaze_errors.png").touch()
    text = evaluation_report(tmp_path / "metrics.json")
    row = next(line for line in text.splitlines() if "trained on adapted S translated" in line)
    forward = scores["gaze_error_degrees"]["forward"]
    for key in ("mean", "low", "high", "median", "spread"):
        assert f"{forward[key]:.2f}" in row
    for part in ("180", f"{forward['share_under_5']:.0%}"):
        assert part in row
    flat = " ".join(text.split())
    for part in (
        "skipped: no translator",
        "Test persons p12.",
        "gaze_errors.png",
        f"forward: {scores['against_no_adaptation']['forward']['verdict']}",
        "over seeds",
        "0.81 before, 0.32 after (0.21 within",
        "takes 13% for target eyes",
    ):
        assert part in flat
    with pytest.raises(InputError, match="dvc repro"):
        evaluation_report(tmp_path / "absent.json")


def test_the_report_of_one_seed_says_that_training_noise_is_missing(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(summary(seeds=1)))
    assert "noise of training is not" in evaluation_report(tmp_path / "metrics.json")


def conditions(**changes: Any) -> Conditions:
    eyes = draw_eyes(12, seed=0)
    real = replace(eyes, person=np.array(["p12", "p13"] * 6))
    return Conditions(real, eyes.select(slice(0, 5)), "both", ["p10", "p11"], False)._replace(**changes)


def test_every_protocol_says_how_it_came_about() -> None:
    meanings = {name: protocol.meaning for name, protocol in PROTOCOLS.items()}
    assert meanings["mean_gaze"] == "always the mean gaze, tested on R"
    assert meanings["forward"] == "trained on adapted S translated to R, tested on R"
    assert meanings["backward"] == "trained on adapted S, tested on R translated to S"
    assert meanings["both"] == "forward and backward averaged"
    assert {name for name, protocol in PROTOCOLS.items() if protocol.uses_real_labels} == {
        "mean_gaze",
        "real_bound",
    }
    translators = {name: protocol.translators for name, protocol in PROTOCOLS.items() if protocol.translators}
    assert translators == {"forward": {"s2r"}, "backward": {"r2s"}, "both": {"s2r", "r2s"}}


def test_what_all_numbers_have_in_common() -> None:
    words = describe_all(conditions())
    for part in (
        "12 labelled eyes (both eyes, 32 x 20 pixels, grey) of 2 persons: p12, p13",
        "Nothing was chosen on test persons",
        "on S and on validation persons (p10, p11)",
        "trained without pictures of the test persons",
        "5 eyes kept apart (32 x 20 pixels, grey)",
    ):
        assert part in words
    words = describe_all(conditions(eye="evaluated", validation_persons=[], test_pictures_seen=True))
    for part in (
        "the evaluated eye",
        "training eyes set aside",
        "trained on pictures of the test persons too, without labels",
        "5 eyes",
    ):
        assert part in words
    nobody = conditions(real=conditions().real.select(slice(0, 0)))
    assert "no gaze labels" in describe_all(nobody)
    assert "as in the given set" in describe_all(conditions(eye=None))
