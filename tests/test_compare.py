"""`fpgan compare`: the record it reads, how it finds evaluations, what it refuses and what it writes."""

import csv
import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from conftest import draw_eyes
from safetensors import safe_open
from safetensors.numpy import save_file

from fpgan.cli import main
from fpgan.commands.compare import compare_evaluations
from fpgan.comparison.comparison_report import comparison_page
from fpgan.comparison.sheet import comparison_sheet
from fpgan.comparison.side_by_side import ComparedRun, Comparison, compare
from fpgan.data.eyes import Eyes
from fpgan.domains import Direction
from fpgan.errors import InputError
from fpgan.evaluation.record import (
    FORMAT,
    HDF5_SIGNATURE,
    Evaluation,
    Shown,
    digest_test_eyes,
    load_evaluation,
    save_evaluation,
)
from fpgan.layout import EVALUATION
from fpgan.params import Params
from fpgan.runs.stage import Stage, run_stage

REAL = replace(draw_eyes(60, seed=1), person=np.repeat(["p12", "p13", "p14"], 20))


def show(eyes: Eyes, seed: int) -> Shown:
    noise = np.random.default_rng(seed).normal(0, 0.02, (3, *eyes.gaze.shape)).astype(np.float32)
    translation = (eyes.image // 2 + seed).astype(np.uint8)
    return Shown(
        eyes.image, translation, eyes.gaze, eyes.gaze + noise[0], eyes.gaze + noise[1], *[eyes.landmarks] * 2
    )


def evaluate(name: str = "default", *, radians: float = 0.1, seeds: tuple[int, ...] = (0, 1)) -> Evaluation:
    """An evaluation whose protocol `backward` errs by about the given angle, `forward` by more."""
    random = np.random.default_rng(len(name))

    def estimates(size: float, count: int = len(seeds)) -> np.ndarray:
        return (REAL.gaze + random.normal(0, size, (count, *REAL.gaze.shape))).astype(np.float32)

    return Evaluation(
        name=name,
        protocol="Test persons p12, p13, p14.",
        seeds=seeds,
        person=REAL.person,
        gaze=REAL.gaze,
        head=np.full_like(REAL.head, np.nan),
        test_digest=digest_test_eyes(REAL),
        estimates={
            "mean_gaze": estimates(0.3, 1),
            "no_adaptation": estimates(0.12),
            "forward": estimates(radians * 1.2),
            "backward": estimates(radians),
        },
        skipped={"real_bound": "no labels to train on"},
        shown={"s2r": show(draw_eyes(3, seed=2), 1), "r2s": show(REAL.select(slice(0, 3)), 2)},
        scores={"preservation": {"s2r": {"gaze_drift_degrees": 2.5}, "r2s": {"gaze_drift_degrees": 3.25}}},
        params={"train_gan": {"steps": 500, "weights": {"gaze": 15.0}}},
    )


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype.kind == b.dtype.kind and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, Shown):
        return all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


def unlabelled() -> Evaluation:
    nobody = REAL.select(slice(0, 0))
    return replace(
        evaluate(), person=nobody.person, gaze=nobody.gaze, head=nobody.head, estimates={}, shown={}
    )


def colored() -> Evaluation:
    eyes = REAL.select(slice(0, 5))
    eyes = eyes.with_images(np.stack([eyes.image, eyes.image // 2, eyes.image // 3], axis=-1))
    return replace(evaluate(), shown={"r2s": show(eyes, 1)})


def without_labels_shown() -> Evaluation:
    shown = evaluate().shown["r2s"]
    return replace(evaluate(), shown={"r2s": shown._replace(gaze=np.full_like(shown.gaze, np.nan))})


@pytest.mark.parametrize(
    "evaluation",
    [
        evaluate(),
        evaluate("Ablation/größer ☃ <b>", seeds=(7,)),
        replace(evaluate(), person=np.array([f"Zoë {i % 3}" for i in range(60)])),
        replace(evaluate(), scores={"long": "x" * 100_000, "unknown": None, "deep": {"er": [1, 2.5, True]}}),
        unlabelled(),
        colored(),
        without_labels_shown(),
    ],
)
def test_round_trip(tmp_path: Path, evaluation: Evaluation) -> None:
    save_evaluation(tmp_path / "a/evaluation.safetensors", evaluation)
    loaded = load_evaluation(tmp_path / "a/evaluation.safetensors")
    for field in fields(Evaluation):
        assert same(getattr(loaded, field.name), getattr(evaluation, field.name)), field.name
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["evaluation.safetensors"]


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.safetensors"
    save_evaluation(path, evaluate("old"))
    with pytest.raises(TypeError):
        save_evaluation(path, replace(evaluate("new"), params={"path": Path()}))
    assert load_evaluation(path).name == "old"
    assert list(tmp_path.iterdir()) == [path]


def alter(
    path: Path,
    change_arrays: Callable[[dict], object],
    change_texts: Callable[[dict], object] = lambda _: None,
) -> None:
    """Writes a record again with other arrays, or other JSON in its metadata."""
    with safe_open(path, "np") as file:
        (text,) = file.metadata().values()
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    texts = json.loads(text)
    change_arrays(arrays)
    change_texts(texts)
    save_file(arrays, path, {FORMAT: json.dumps(texts)})


def put(**arrays: np.ndarray) -> Callable[[Path], None]:
    """Replaces arrays of a record, named with double underscores for slashes."""
    return lambda path: alter(
        path, lambda old: old.update({k.replace("__", "/"): v for k, v in arrays.items()})
    )


def state(**texts: Any) -> Callable[[Path], None]:
    """Replaces texts of a record."""
    return lambda path: alter(path, lambda _: None, lambda old: old.update(texts))


def unknown_type(path: Path) -> None:
    header = json.dumps({"gaze": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(2))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "foreign": (
        lambda path: save_file({"a": np.zeros(1)}, path),
        "not the record of an evaluation: its metadata",
    ),
    "another version": (
        lambda path: save_file({"a": np.zeros(1)}, path, {"fpgan evaluation 9": "{}"}),
        f"its metadata has no '{FORMAT}'",
    ),
    "an earlier version": (
        lambda path: path.write_bytes(HDF5_SIGNATURE),
        "made by an earlier version.*evaluate again",
    ),
    "unknown type": (unknown_type, "not the record of an evaluation"),
    "no protocol": (
        lambda path: alter(path, lambda _: None, lambda old: old.pop("protocol")),
        "'protocol': .* required",
    ),
    "no JSON": (
        lambda path: save_file({"a": np.zeros(1)}, path, {FORMAT: "{"}),
        "damaged record of an evaluation",
    ),
    "deep JSON": (
        lambda path: save_file({"a": np.zeros(1)}, path, {FORMAT: "[" * 100_000}),
        "damaged record",
    ),
    "no object": (
        lambda path: save_file({"a": np.zeros(1)}, path, {FORMAT: "[]"}),
        "its JSON is not an object",
    ),
    "a list": (state(scores=[]), "'scores': .* dictionary"),
    "another text": (state(more=1), "'more': "),
    "no seeds": (state(seeds=[]), "'seeds': .* at least 1"),
    "odd seeds": (state(seeds=["a"]), "'seeds/0': .* integer"),
    "seeds as text": (state(seeds=["1", "2"]), "'seeds/0': .* integer"),
    "seeds as truths": (state(seeds=[True, False]), "'seeds/0': .* integer"),
    "odd persons": (state(person=[["p12"], []]), "'person'"),
    "persons as numbers": (state(person=[12] * 60), "'person': is not a list of names"),
    "a table of persons": (state(person=[["p12"]] * 60), "'person': is not a list of names"),
    "no gaze": (lambda path: alter(path, lambda old: old.pop("gaze")), "'gaze': .* required"),
    "shape": (
        put(head=np.zeros((60, 3), np.float32)),
        r"'head': is float32 \(60, 3\); expected float32 \(N, 2\)",
    ),
    "length": (put(gaze=np.zeros((59, 2), np.float32)), "'gaze' has 59 rows; expected 60"),
    "type": (put(gaze=np.zeros((60, 2), int)), "'gaze': is int64 .*; expected float32"),
    "persons": (state(person=["p12"]), "'gaze' has 60 rows; expected 1"),
    "seeds of a protocol": (
        put(estimates__forward=np.zeros((3, 60, 2), np.float32)),
        "'estimates/forward' has 3 rows; expected 2",
    ),
    "eyes of a protocol": (
        put(estimates__forward=np.zeros((2, 59, 2), np.float32)),
        "'estimates/forward of every seed' has 59 rows; expected 60",
    ),
    "not finite": (
        put(estimates__forward=np.full((2, 60, 2), np.nan, np.float32)),
        "'estimates/forward': holds angles that are not finite",
    ),
    "rows": (put(shown__s2r__gaze=np.zeros((2, 2), np.float32)), "'shown/s2r/gaze' has 2 rows; expected 3"),
    "pictures": (put(shown__s2r__source=np.zeros((3, 20, 32))), "'shown/s2r/source': is float64"),
    "channels": (put(shown__s2r__source=np.zeros((3, 20, 32, 4), np.uint8)), "'shown/s2r/source': is uint8"),
    "half shown": (lambda path: alter(path, lambda old: old.pop("shown/s2r/gaze")), "'shown/s2r/gaze'"),
    "more shown": (put(shown__s2r__more=np.zeros(3)), "'shown/s2r/more'"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_wrong_records_are_named_with_what_is_wrong(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "mine.safetensors"
    save_evaluation(path, evaluate())
    spoil, message = DAMAGES[damage]
    spoil(path)
    with pytest.raises(InputError, match=message) as error:
        load_evaluation(path)
    assert str(path) in str(error.value)


def test_records_keep_the_order_of_protocols_and_those_of_other_versions(tmp_path: Path) -> None:
    evaluation = evaluate()
    estimates = {"zeta": evaluation.estimates["forward"]} | evaluation.estimates
    save_evaluation(tmp_path / "a", replace(evaluation, estimates=estimates))
    assert list(load_evaluation(tmp_path / "a").estimates) == [*evaluation.estimates, "zeta"]


def test_broken_off_files_are_refused_wherever_they_break_off(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_evaluation(path, evaluate())
    content = path.read_bytes()
    for length in np.linspace(0, len(content) - 1, 30).astype(int):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"mine\.safetensors"):
            load_evaluation(path)


def test_changed_bytes_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_evaluation(path, evaluate())
    content, random = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        changed = np.frombuffer(content, np.uint8).copy()
        changed[random.integers(min(len(changed), 12_000), size=2)] = random.integers(256, size=2)
        path.write_bytes(changed.tobytes())
        try:
            load_evaluation(path)
        except InputError as error:
            refused += str(path) in str(error)
    assert 0 < refused < 150


def run_of(evaluation: Evaluation) -> ComparedRun:
    return ComparedRun(evaluation.name, evaluation, "given", None, None, None)


def compared(*evaluations: Evaluation) -> Comparison:
    return compare([run_of(evaluation) for evaluation in evaluations])


def test_digests_tell_pictures_persons_and_labels_apart() -> None:
    others = [
        REAL.with_images(REAL.image + 1),
        replace(REAL, person=REAL.person[::-1]),
        replace(REAL, gaze=REAL.gaze + 1),
        replace(REAL, head=REAL.head + 1),
        REAL.select(slice(0, 59)),
    ]
    assert len({digest_test_eyes(eyes) for eyes in (REAL, *others)}) == 6
    assert digest_test_eyes(REAL.select(np.arange(60))) == digest_test_eyes(REAL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"person": np.repeat(["p12", "p13", "p99"], 20)}, "persons are p12, p13, p99, not p12, p13, p14"),
        ({"person": np.array(["p12", "p13", "p14"])}, "3 eyes with labels, not 60"),
        ({"person": np.tile(["p12", "p13", "p14"], 20)}, "another order"),
        ({"gaze": REAL.gaze + 1}, "gaze labels"),
        ({"head": REAL.head}, "head labels"),
        ({"test_digest": "0"}, "pictures"),
    ],
)
def test_other_test_eyes_are_not_compared(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        compared(evaluate(), replace(evaluate("other"), **change))
    assert "other was not tested on the same eyes as default" in str(error.value)


def test_errors_and_paired_tests_find_what_is_better() -> None:
    found = compared(evaluate(radians=0.1), evaluate("better", radians=0.05), evaluate("alike", seeds=(3,)))
    by_run = {run.label: errors for run, errors in zip(found.runs, found.errors, strict=True)}
    degrees = np.degrees(0.05) * np.sqrt(np.pi / 2)  # mean length of a normal error in two dimensions
    assert by_run["better"]["backward"].mean == pytest.approx(degrees, rel=0.15)
    assert by_run["better"]["backward"].low < by_run["better"]["backward"].mean
    assert by_run["better"]["backward"].spread is not None
    assert by_run["alike"]["backward"].spread is None
    assert by_run["better"]["mean_gaze"].spread is None
    tests = {(test.run, test.protocol): test for test in found.tests}
    assert not any("mean_gaze" in names for names in tests)
    better = tests["better", "backward"]
    assert better.best
    assert not tests["better", "forward"].best
    assert better.found.difference == pytest.approx(
        by_run["better"]["backward"].mean - by_run["default"]["backward"].mean
    )
    assert better.found.high < 0
    assert "more than noise" in better.found.verdict
    same_networks = compared(evaluate(), replace(evaluate(), name="copy")).tests
    assert all(test.found.difference == 0 and not test.found.more_than_noise for test in same_networks)


def test_best_protocols_are_compared_where_they_are_not_the_same() -> None:
    other = evaluate("other")
    other.estimates["forward"] = evaluate(radians=0.01).estimates["backward"]
    first = compared(evaluate(), other).tests[0]
    assert (first.protocol, first.first_protocol, first.best) == ("forward", "backward", True)


def test_params_differ_where_they_do_or_are_absent() -> None:
    other = replace(
        evaluate("other"), params={"train_gan": {"steps": 500, "weights": {"gaze": 30.0}, "new": 1}}
    )
    assert compared(evaluate(), other).differing == {
        "train_gan.weights.gaze": ("15.0", "30.0"),
        "train_gan.new": ("-", "1"),
    }


def test_sheets_are_left_out_where_eyes_differ() -> None:
    other = evaluate("other")
    other = replace(other, shown={"s2r": show(draw_eyes(3, seed=9), 1), "r2s": other.shown["r2s"]})
    found = compared(evaluate(), other, replace(evaluate("third"), shown={"s2r": other.shown["s2r"]}))
    assert found.shown == {}
    assert found.omitted == [
        "No sheet for s2r: other, third shows other eyes than default.",
        "No sheet for r2s: third shows no eyes.",
    ]


def test_a_sheet_has_the_originals_and_a_column_a_run() -> None:
    runs = {"original": evaluate().shown["s2r"], "a $x$ _ b": evaluate("b").shown["s2r"]}
    figure = comparison_sheet(runs, arrows=True, landmarks=True)
    axes = np.array(figure.axes).reshape(3, 3)
    assert [place.get_title() for place in axes[0]] == ["original", "original", "a $x$ _ b"]
    first = runs["original"]
    for row in range(3):
        pictures = [place.images[0].get_array() for place in axes[row]]
        np.testing.assert_array_equal(pictures[0], first.source[row])
        np.testing.assert_array_equal(pictures[1], first.translation[row])
        assert all(len(place.texts) == 2 for place in axes[row])  # the arrows
    bare = comparison_sheet(runs, arrows=False, landmarks=False, rows=2)
    assert len(bare.axes) == 6
    assert not any(place.texts or place.lines for place in bare.axes)


class Page(HTMLParser):
    """Tags and links of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else_and_escapes_what_others_wrote() -> None:
    nasty = "</title><script>alert(1)</script>\"'&"
    other = replace(
        evaluate(nasty),
        protocol=nasty,
        skipped={nasty: nasty},
        params={nasty: nasty},
        scores={"preservation": {}},
    )
    sheets = {Direction.S2R: b"png"}
    page = Page(comparison_page(compared(evaluate(), other), sheets, arrows=True, landmarks=False))
    assert page.tags.isdisjoint({"script", "link", "iframe", "object"})
    assert page.links == ["data:image/png;base64,cG5n"]
    assert "@import" not in page.text
    assert "url(" not in page.text
    assert page.text.count(nasty) >= 8
    assert "real bound: no labels to train on" in page.text


def test_unlabelled_evaluations_can_be_compared() -> None:
    found = compared(unlabelled(), replace(unlabelled(), name="other"))
    page = comparison_page(found, {}, arrows=True, landmarks=True)
    assert "have no gaze labels" in page
    assert found.tests == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project without a store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # set by MLflow itself later, and undone after the test
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "params.yaml").write_text("{}")
    return tmp_path


@pytest.fixture
def project(folder: Path, empty_store: Path) -> Path:
    """An empty project with a store of its own."""
    shutil.copy(empty_store, folder)
    return folder


def run_evaluation(evaluation: Evaluation, inputs: dict[str, Path], *, fail: bool = False) -> str:
    """An evaluate run that writes such a record; its id."""

    def work(stage: Stage) -> None:
        stage.run.tag("evaluation.name", evaluation.name)
        stage.run.tag("evaluation.seeds", ", ".join(map(str, evaluation.seeds)))
        save_evaluation(stage.results / "evaluation.safetensors", evaluation)
        if fail:
            raise FloatingPointError

    return run("evaluate", inputs, work)


def run(name: str, inputs: dict[str, Path], work: Any) -> str:
    params, output = Params(), Path(name)
    with run_stage(
        name, params, sections={"split": params.split}, inputs=inputs, output=output, description=""
    ) as stage:
        work(stage)
    return str(json.loads((output / "run.json").read_text())["run_id"])


def write(stage: Stage) -> None:
    (stage.output / "file").write_text(stage.run.id)


def say(*names: str) -> str:
    return compare_evaluations(names, Params(), Path("results/compare"), arrows=True, landmarks=True)


def test_files_are_compared_by_the_command(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_evaluation(project / "a.safetensors", evaluate())
    save_evaluation(project / "b.safetensors", evaluate("größer <b>", radians=0.05))
    command = [sys.executable, "-c", "from fpgan.cli import main; main()"]
    arguments = ["compare", "a.safetensors", "b.safetensors", "--out", "out", "--landmarks"]
    ended = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Gaze error, degrees" in ended.stdout
    assert "größer <b>, backward, against default, backward (the best of each): lower by" in ended.stdout
    assert "out/report.html" in ended.stdout
    files = {"report.html", "table.csv", "sheet_s2r.png", "sheet_r2s.png"}
    assert {path.name for path in (project / "out").iterdir()} == files
    with (project / "out/table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == ["default", "größer <b>"]
    assert float(rows[1]["backward/mean"]) < float(rows[0]["backward/mean"])
    assert rows[0]["r2s/gaze_drift_degrees"] == "3.2500"
    page = Page((project / "out/report.html").read_text())
    assert len(page.links) == 2
    assert all(re.fullmatch(r"data:image/png;base64,[A-Za-z0-9+/=]{1000,}", link) for link in page.links)
    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    logged = client.search_runs(["1"])
    assert [found.data.tags["stage"] for found in logged] == ["compare"]
    assert {file.path for file in client.list_artifacts(logged[0].info.run_id)} == files
    monkeypatch.setattr(sys, "argv", ["fpgan", "compare", "a.safetensors"])
    with pytest.raises(SystemExit) as one:
        main()
    assert one.value.code == 2
    assert capsys.readouterr().err == "fpgan: a comparison needs two evaluations or more\n"


def test_runs_are_found_by_id_and_by_what_they_made(project: Path) -> None:
    gan = run("train-gan", {}, write)
    translated = run("translate-s2r", {"generator": Path("train-gan/file")}, write)
    first = run_evaluation(evaluate(), {"s2r": Path("translate-s2r/file")})
    newest = run_evaluation(
        evaluate(radians=0.05), {"s2r": Path("translate-s2r/file"), "again": Path("params.yaml")}
    )
    other = run_evaluation(evaluate("other"), {})
    report = say(first[:6], other)
    assert "other, backward, against default, backward" in report
    page = Page(Path("results/compare/report.html").read_text()).text
    assert first[:12] in page
    for above in (gan, translated.upper()[:10]):
        assert f"default ({newest[:8]})" in say(first, above)
    compared_last = mlflow.search_runs(
        filter_string="tags.stage = 'compare'", search_all_experiments=True, output_format="list"
    )[0]
    assert {compared_last.data.tags[f"upstream.{i}"] for i in (1, 2)} == {first, newest}
    with pytest.raises(InputError, match="given twice"):
        say(first, first[:9])


def test_where_nothing_was_evaluated_it_says_how_to(folder: Path) -> None:
    for name in ("nothing", "123456"):
        with pytest.raises(InputError, match=rf"{name}: not found; .* No finished evaluation is logged"):
            say(name, "nothing")
    assert sorted(path.name for path in folder.iterdir()) == [".dvc", "params.yaml"]


def test_what_cannot_be_compared_is_refused_in_words(project: Path) -> None:
    prepared = run("prepare-unityeyes", {}, write)
    first = run_evaluation(evaluate("of <name>", seeds=(3, 4)), {})
    with pytest.raises(FloatingPointError):
        run_evaluation(evaluate(), {"prepared": Path("prepare-unityeyes/file")}, fail=True)
    failed = mlflow.search_runs(filter_string="attributes.status = 'FAILED'", search_all_experiments=True)
    with pytest.raises(InputError, match=r"\(evaluate\) failed"):
        say(first, failed["run_id"][0])
    client = mlflow.MlflowClient()
    client.update_run(failed["run_id"][0], status="RUNNING")
    with pytest.raises(InputError, match=r"\(evaluate\) has not ended"):
        say(first, failed["run_id"][0])
    for name, message in (
        (prepared, "of the stage prepare-unityeyes, and no finished evaluation descends from it"),
        ("nothing", "not found"),
        ("123abc", "not found"),
        ("abc", "not found"),
        ("no/file.safetensors", "not found"),
    ):
        with pytest.raises(InputError, match=message) as error:
            say(first, name)
        assert re.search(rf"{first}  \d{{4}}-\d\d-\d\d \d\d:\d\d  of <name>  seeds 3, 4", str(error.value))
    empty = run("evaluate", {"prepared": Path("prepare-unityeyes/file")}, write)
    with pytest.raises(InputError, match=r"has no evaluation\.safetensors"):
        say(first, empty)
    client.delete_run(first)
    with pytest.raises(InputError, match="was deleted"):
        say(first, empty)


def test_a_file_comes_before_a_run_and_a_run_before_a_revision(project: Path) -> None:
    first, second = (
        run_evaluation(evaluate("first"), {}),
        run_evaluation(evaluate("second"), {"x": Path("params.yaml")}),
    )
    save_evaluation(project / first[:8], evaluate("file"))
    assert "second, backward, against file" in say(first[:8], second)


def test_ids_that_start_alike_are_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = ["abcdef" + "0" * 26, "abcdef" + "1" * 26]
    numbers = iter(ids)

    class Numbered:
        @staticmethod
        def uuid4() -> Any:
            return type("UUID", (), {"hex": next(numbers)})

    monkeypatch.setattr(mlflow.store.tracking.sqlalchemy_store, "uuid", Numbered)
    first, second = (run_evaluation(evaluate(name), {}) for name in ("first", "second"))
    assert [first, second] == ids
    with pytest.raises(InputError, match=f"the ids of 2 MLflow runs begin with it: {second}.*, {first}"):
        say("abcdef", second)


def test_revisions_are_read_from_git_and_the_cache(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".dvc").rmdir()
    inner = project / "inner"  # a project need not be the whole repository
    inner.mkdir()
    (project / "mlflow.db").rename(inner / "mlflow.db")
    monkeypatch.chdir(inner)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "a")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@b")

    def call(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", *arguments] if arguments[0] == "dvc" else arguments, check=True)

    call("git", "init", "-q", "-b", "main", str(project))
    call("dvc", "init", "-q", "--subdir")
    (inner / ".gitignore").write_text("mlflow.db\nmlartifacts\n.fpgan\n/evaluate\n")
    call("git", "add", "-A")
    call("git", "commit", "-qm", "empty")
    call("git", "tag", "empty")
    made = run_evaluation(evaluate("old"), {})
    call("dvc", "add", "-q", str(EVALUATION))
    call("git", "add", "-A")  # with run.json
    call("git", "commit", "-qm", "old")
    call("git", "tag", "old")
    save_evaluation(EVALUATION, evaluate("new"))
    save_evaluation(inner / "elsewhere.safetensors", evaluate("elsewhere"))
    report = say("old", "elsewhere.safetensors")
    assert "elsewhere, backward, against old" in report
    page = Page(Path("results/compare/report.html").read_text()).text
    commit = subprocess.run(["git", "rev-parse", "old"], capture_output=True, text=True, check=True).stdout
    assert commit[:12] in page
    assert made[:12] in page
    with pytest.raises(
        InputError, match=r"empty: that revision has no results/evaluate/evaluation\.safetensors"
    ):
        say("old", "empty")
    for cached in (inner / ".dvc/cache/files").rglob("*"):
        if cached.is_file():
            cached.unlink()
    with pytest.raises(InputError, match=r"not in DVC's cache .* `dvc pull`"):
        say("old", "empty")
