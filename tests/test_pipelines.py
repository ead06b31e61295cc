"""pipelines/ablation and pipelines/cross_person: what their stages depend on, run and conclude."""

import csv
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import networkx
import numpy as np
import pytest
import yaml
from conftest import draw_eyes
from dvc.repo import Repo
from dvc.stage import PipelineStage
from test_compare import evaluate
from toy import ROOT, SMALL, update

from fpgan.cli import app
from fpgan.commands.use_preset import use_preset
from fpgan.comparison.persons import pool
from fpgan.config import adapted_to, leave_out, load_params
from fpgan.data.eye_set import save_eyes
from fpgan.domains import Direction, TrainedOn
from fpgan.errors import InputError
from fpgan.evaluation.record import Evaluation, load_evaluation, save_evaluation
from fpgan.evaluation.statistics import mean_interval
from fpgan.layout import ADAPTED, PREPARED_REAL, Branch, Trial
from fpgan.params import Params
from fpgan.provenance.stage_code import CODE
from fpgan.stages.ablation import ablation_stage
from fpgan.stages.cross_person import cross_person_stage
from fpgan.stages.evaluate import evaluated_files
from fpgan.tracking.run import open_run

PRESETS = [None, *sorted((ROOT / "presets").glob("*.yaml"))]
ABLATION, CROSS_PERSON = "pipelines/ablation/dvc.yaml", "pipelines/cross_person/dvc.yaml"
SEEDS = [0, 3]


def copy_pipelines(folder: Path) -> None:
    """A DVC project that has all pipelines, and nothing that they need but a package to digest."""
    (folder / "fpgan").mkdir()
    (folder / "fpgan" / "module.py").touch()
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    no_scm = True\n    analytics = false\n")
    shutil.copy(ROOT / "dvc.yaml", folder)
    shutil.copytree(ROOT / "pipelines", folder / "pipelines")
    shutil.copy(ROOT / "params.yaml", folder)


class Graph:
    """The stages of a project's pipelines, by file and name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.graph = Repo(str(folder)).index.graph
        self.stages = {
            (os.path.relpath(stage.path, folder), stage.name): stage
            for stage in self.graph.nodes
            if isinstance(stage, PipelineStage)
        }

    def files(self, links: list[Any]) -> set[str]:
        """Dependencies or outputs, but for parameters."""
        return {os.path.relpath(link.fs_path, self.folder) for link in links if link.hash_name != "params"}

    def inputs(self, stage: PipelineStage) -> set[str]:
        """Dependencies, but for parameters and code."""
        return {path for path in self.files(stage.deps) if not path.startswith(str(CODE))}

    def params(self, stage: PipelineStage) -> set[str]:
        """The keys of params.yaml that a stage depends on."""
        return {key for link in stage.deps if link.hash_name == "params" for key in link.params}

    def of(self, file: str) -> dict[str, PipelineStage]:
        """The stages of one file."""
        return {name: stage for (path, name), stage in self.stages.items() if path == file}

    def before(self, stage: PipelineStage) -> set[tuple[str, str]]:
        """The stages that a stage depends on directly, but for that of its code."""
        direct = {key for key, other in self.stages.items() if other in set(self.graph.successors(stage))}
        assert ("dvc.yaml", "code") in direct
        return direct - {("dvc.yaml", "code")}


@pytest.fixture(scope="module", params=PRESETS, ids=lambda path: path.stem if path else "shipped")
def graph(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """The pipelines with two seeds: on sample data, or with a preset on the user's own data."""
    folder = tmp_path_factory.mktemp("pipelines")
    copy_pipelines(folder)
    if request.param:
        use_preset(str(request.param), folder / "params.yaml")
        update(folder, {"data": {"unityeyes": "data/raw/UnityEyes", "mpiifacegaze": "data/raw/MPIIFaceGaze"}})
    update(folder, {"seeds": SEEDS})
    return Graph(folder)


def branches(graph: Graph) -> dict[str, list[Branch]]:
    params = load_params(graph.folder / "params.yaml")
    return {
        ABLATION: [Branch(variant=name) for name in params.ablation],
        CROSS_PERSON: [Branch(test_person=name) for name in params.cross_person.persons],
    }


TRAININGS = {
    ABLATION: ["train-gan", "translate-s2r", "train-gaze-translated"],
    CROSS_PERSON: ["train-gan", "translate-s2r", "train-gaze-translated", "train-gaze-real"],
}
LAST = {ABLATION: "ablation", CROSS_PERSON: "cross-person"}


def test_every_variant_and_person_is_trained_once_a_seed_and_evaluated_once(graph: Graph) -> None:
    for file, own in branches(graph).items():
        names = [branch.folder.name for branch in own]
        trainings = {
            f"{stage}@{name}-{seed}" for stage in TRAININGS[file] for name in names for seed in SEEDS
        }
        assert set(graph.of(file)) == trainings | {f"evaluate@{name}" for name in names} | {LAST[file]}
        assert len(names) == (6 if file == ABLATION else 15)


def test_the_default_pipeline_runs_none_of_it(graph: Graph) -> None:
    for stage in graph.of("dvc.yaml").values():
        needed = {other.path for other in networkx.descendants(graph.graph, stage)}
        assert not needed & {str(graph.folder / file) for file in (ABLATION, CROSS_PERSON)}


def test_stages_depend_on_what_their_commands_read_and_declare_what_they_write(graph: Graph) -> None:
    for file, own in branches(graph).items():
        stages = graph.of(file)
        for branch in own:
            name = branch.folder.name
            option = f"--variant {name}" if branch.variant else f"--test-person {name}"
            for seed in SEEDS:
                trial = Trial(branch, seed)
                gan, translate, *gaze = (stages[f"{stage}@{name}-{seed}"] for stage in TRAININGS[file])
                for stage in (gan, translate, *gaze):
                    assert stage.cmd.endswith(f" {option} --seed {seed}")
                assert graph.inputs(gan) == texts(
                    ADAPTED, PREPARED_REAL, trial.gaze_net(TrainedOn.ADAPTED), trial.landmark_net
                )
                assert texts(*map(trial.generator, Direction)) <= graph.files(gan.outs)
                assert graph.inputs(translate) == texts(ADAPTED, trial.generator(Direction.S2R))
                assert texts(trial.translated(Direction.S2R)) <= graph.files(translate.outs)
                sources = {
                    TrainedOn.TRANSLATED: trial.translated(Direction.S2R),
                    TrainedOn.REAL: PREPARED_REAL,
                }
                for (kind, source), stage in zip(sources.items(), gaze, strict=False):
                    assert f" --on {kind} " in stage.cmd
                    assert graph.inputs(stage) == texts(source)
                    assert texts(trial.gaze_net(kind)) <= graph.files(stage.outs)
            evaluation = stages[f"evaluate@{name}"]
            assert evaluation.cmd == f"fpgan evaluate {option}"
            known = [graph.folder / path for path in graph.files(evaluation.deps)]
            for path in evaluated_files([Trial(branch, seed) for seed in SEEDS]).values():
                assert any((graph.folder / path).is_relative_to(folder) for folder in known), path
            results = str(branch.results("evaluate"))
            assert all(path.startswith(results) for path in graph.files(evaluation.outs))


def texts(*paths: Path) -> set[str]:
    return set(map(str, paths))


def test_branches_share_no_stage_of_their_own(graph: Graph) -> None:
    """An evaluation waits for its own branch's trainings and for none of another's."""
    for file, own in branches(graph).items():
        for branch in own:
            name = branch.folder.name
            evaluation = graph.of(file)[f"evaluate@{name}"]
            within = {stage for path, stage in graph.before(evaluation) if path == file}
            kept = [stage for stage in TRAININGS[file] if stage != "translate-s2r"]
            assert within == {f"{stage}@{name}-{seed}" for stage in kept for seed in SEEDS}
        last = graph.of(file)[LAST[file]]
        assert graph.before(last) == {(file, f"evaluate@{branch.folder.name}") for branch in own}


def test_a_variant_depends_on_its_own_parameters_alone(graph: Graph) -> None:
    for name, stage in graph.of(ABLATION).items():
        variants = {key for key in graph.params(stage) if key.startswith("ablation")}
        kind, _, rest = name.partition("@")
        variant = rest.rsplit("-", 1)[0] if kind != "evaluate" else rest
        expected = {
            "train-gan": {f"ablation.{variant}"},
            "evaluate": {f"ablation.{variant}"},
            "ablation": {"ablation"},
        }
        assert variants == expected.get(kind, set()), name
    for name, stage in graph.of(CROSS_PERSON).items():
        # Who tests in the default split changes nothing in trainings without one person.
        assert ("split" in graph.params(stage)) == name.startswith("evaluate")


SMALLEST = SMALL | {
    "data": {"unityeyes": "synthetic.h5", "mpiifacegaze": "real.h5"},
    "adapt": {"method": "none"},
    "train_gan": SMALL["train_gan"] | {"steps": 2, "tick": 2, "checkpoint_every": 2},
    "ablation": {"plain": {"weights": {"gaze": 0}}, "strong": {"weights": {"gaze": 50}}},
    "cross_person": {"persons": ["p00"]},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with smallest parameters in which every stage of both pipelines has run.

    In this process, in the order that DVC gives: that each stage makes what it declares, from what it
    declares, is what is tested, and starting 20 processes would take minutes.
    """
    folder = tmp_path_factory.mktemp("run")
    copy_pipelines(folder)
    values = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(
        yaml.safe_dump(
            values | {"ablation": {}, "cross_person": {"persons": [], "train_gan": {}, "train_gaze": {}}}
        )
    )
    update(folder, SMALLEST)
    real = replace(draw_eyes(36, seed=1, ground=110, disc=20), person=np.array(["p00", "p01", "p02"] * 12))
    save_eyes(folder / "synthetic.h5", draw_eyes(60, seed=0), equalized=True)
    save_eyes(folder / "real.h5", real, equalized=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", "")  # set by MLflow itself later, and undone after the test
        found = Graph(folder)
        order = [
            stage for stage in networkx.dfs_postorder_nodes(found.graph) if stage in found.stages.values()
        ]
        wanted = {
            key for file in (ABLATION, CROSS_PERSON) for key in needed(found, found.of(file)[LAST[file]])
        }
        for stage in order:
            if (os.path.relpath(stage.path, folder), stage.name) in wanted:
                missing = [path for path in found.files(stage.deps) if not (folder / path).exists()]
                assert not missing, stage
                app(stage.cmd.split()[1:], standalone_mode=False)
                missing = [path for path in found.files(stage.outs) if not (folder / path).exists()]
                assert not missing, stage
        yield folder


def needed(graph: Graph, stage: PipelineStage) -> set[tuple[str, str]]:
    below = networkx.descendants(graph.graph, stage) | {stage}
    return {key for key, other in graph.stages.items() if other in below}


def test_both_pipelines_run_to_their_tables(project: Path) -> None:
    ablation = json.loads((project / "results/ablation/metrics.json").read_text())
    assert list(ablation) == ["plain", "strong"]
    assert set(ablation["strong"]["gaze_error_degrees"]) >= {"no_adaptation", "forward", "backward"}
    scores = json.loads((project / "results/cross_person/metrics.json").read_text())
    assert scores["gaze_error_degrees"]["real_bound"]["eyes"] == 12
    left_out = load_evaluation(project / "results/cross_person/evaluate/p00/evaluation.safetensors")
    assert set(left_out.person) == {"p00"}
    assert left_out.name == "cross_person/p00"
    assert left_out.params["split"]["validation_persons"] == []
    # Nothing of the default pipeline was made that these do not need.
    assert not (project / "models/gan").exists()


def test_a_changed_variant_concerns_no_other(project: Path) -> None:
    repo = Repo(str(project))
    for file in (ABLATION, CROSS_PERSON):
        for stage in repo.index.stages:
            if stage.path == str(project / file):
                repo.commit(stage.addressing, force=True)
    assert set(Repo(str(project)).status([ABLATION, CROSS_PERSON])) == set()
    text = (project / "params.yaml").read_text()
    update(project, {"ablation": {"strong": {"weights": {"gaze": 60}}}})
    status = Repo(str(project)).status([ABLATION, CROSS_PERSON])
    (project / "params.yaml").write_text(text)
    assert set(status) == {
        f"{ABLATION}:{name}" for name in ("train-gan@strong-0", "evaluate@strong", "ablation")
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Path:
    """An empty project whose runs go to a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    (tmp_path / ".dvc").mkdir()
    shutil.copy(empty_store, tmp_path)
    return tmp_path


def record(branch: Branch, evaluation: Evaluation) -> None:
    """Writes an evaluation where the branch's is, as made by a run named after the branch."""
    results = branch.results("evaluate")
    save_evaluation(results / "evaluation.safetensors", replace(evaluation, name=branch.name))
    (results / "run.json").write_text(
        json.dumps({"run_id": f"run-{branch.folder.name}", "stage": "evaluate"})
    )


def children(stage: str) -> list[dict[str, mlflow.entities.Run]]:
    """The runs below each run of a stage, by the first word of their names; the newest first."""
    store = mlflow.MlflowClient()
    above = store.search_runs(["1"], f"tags.stage = '{stage}'", order_by=["attributes.start_time DESC"])
    below = [store.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'") for run in above]
    assert all(len({run.info.run_name for run in runs}) == len(runs) for runs in below)
    return [{str(run.info.run_name).partition(" · ")[0]: run for run in runs} for runs in below]


def rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


VARIANTS = Params.model_validate(
    {"ablation": {"plain": {"weights": {"gaze": 0}}, "gaze": {"weights": {"gaze": 30}, "steps": 9}}}
)


def record_variants(**changes: Any) -> None:
    quality = {"quality": {"s2r": {"sliced_wasserstein": {"after": 7.25}, "taken_for_target": 0.125}}}
    for variant, radians in (("plain", 0.1), ("gaze", 0.03)):
        evaluation = evaluate("same", radians=radians)
        evaluation = replace(
            evaluation,
            scores=evaluation.scores | quality,
            params={"train_gan": {"steps": 9, "weights": {"gaze": radians, "identity": 0}}},
            **(changes if variant == "gaze" else {}),
        )
        evaluation.estimates["no_adaptation"] = evaluate("same").estimates["no_adaptation"]
        record(Branch(variant), evaluation)


def test_the_ablation_puts_variants_side_by_side(folder: Path) -> None:
    record_variants()
    text = ablation_stage(VARIANTS)
    scores = json.loads(Path("results/ablation/metrics.json").read_text())
    backward = scores["gaze"]["gaze_error_degrees"]["backward"]
    test = scores["gaze"]["against_first"]["backward"]
    assert test["high"] < 0
    assert test["difference"] == pytest.approx(
        backward["mean"] - scores["plain"]["gaze_error_degrees"]["backward"]["mean"]
    )
    assert scores["plain"]["against_first"] == {}
    for part in (
        f"{backward['mean']:.2f} ± {backward['spread']:.2f}",
        f"{backward['low']:.2f} to {backward['high']:.2f}",
        f"{test['difference']:+.2f}, p {test['p']:.2f}",
        "7.25",
        "0.12",
        "3.25",
        "The same for all variants: mean gaze",
    ):
        assert part in text
    table = rows("results/ablation/table.csv")
    assert [row["run"] for row in table] == ["plain", "gaze"]
    assert float(table[1]["backward/mean"]) == pytest.approx(backward["mean"], abs=1e-4)
    assert float(table[1]["backward/difference"]) == pytest.approx(test["difference"], abs=1e-4)
    assert table[0]["backward/difference"] == ""
    assert table[0]["s2r/sliced_wasserstein/after"] == "7.2500"
    assert table[1]["train_gan.weights.gaze"] == "0.03"
    names = {path.name for path in Path("results/ablation").iterdir() if path.is_file()}
    assert names == {"metrics.json", "run.json", "table.csv", "sheet_s2r.png", "sheet_r2s.png"}


def test_every_variant_is_a_run_below_the_ablations(folder: Path) -> None:
    record_variants()
    ablation_stage(VARIANTS)
    scores = json.loads(Path("results/ablation/metrics.json").read_text())
    (below,) = children("ablation")
    assert set(below) == {"plain", "gaze"}
    run = below["gaze"]
    assert run.info.status == "FINISHED"
    # The changed parameters as they were evaluated with.
    assert run.data.params == {"train_gan.weights.gaze": "0.03", "train_gan.steps": "9"}
    assert run.data.tags["variant"] == "gaze"
    assert run.data.tags["upstream.evaluation"] == "run-gaze"
    for name in (
        "gaze_error_degrees/forward/mean",
        "against_first/forward/p",
        "preservation/s2r/gaze_drift_degrees",
    ):
        one, two, *three = name.split("/")
        value = scores["gaze"][one].get("/".join([two, *three]), scores["gaze"][one].get(two))
        assert run.data.metrics[name] == (value[three[0]] if isinstance(value, dict) else value)
    ablation_stage(VARIANTS)
    assert [set(below) for below in children("ablation")] == [{"plain", "gaze"}] * 2


def test_a_resumed_run_has_its_runs_below_it_once(folder: Path) -> None:
    def log(resume: str | None, *names: str) -> str:
        with open_run(
            "ablation",
            experiment="fpgan",
            params={},
            inputs={},
            tags={"stage": "ablation"},
            description="",
            key="key",
            resume=resume,
        ) as run:
            for name in names:
                run.child(name, params={"a": "1"}, metrics={"b": 2.0, "c": float("nan")}, tags={})
        return run.id

    first = log(None, "plain", "gaze")
    (before,) = children("ablation")
    mlflow.MlflowClient().update_run(before["gaze"].info.run_id, status="RUNNING")  # killed here
    assert log(first, "plain", "gaze", "landmarks") == first
    (after,) = children("ablation")
    assert set(after) == {"plain", "gaze", "landmarks"}
    assert after["plain"].info.run_id == before["plain"].info.run_id
    assert {run.info.status for run in after.values()} == {"FINISHED"}
    assert all(run.data.metrics == {"b": 2.0} for run in after.values())


def test_what_the_ablation_cannot_do_is_said(folder: Path) -> None:
    Path("mlflow.db").unlink()
    with pytest.raises(InputError, match="ablation: names no variant"):
        ablation_stage(Params())
    record_variants()
    Branch("gaze").results("evaluate").joinpath("evaluation.safetensors").unlink()
    with pytest.raises(
        InputError, match=rf"ablation/evaluate: no evaluation of gaze; `dvc repro {ABLATION}`"
    ) as error:
        ablation_stage(VARIANTS)
    assert "plain" not in str(error.value)
    record_variants(test_digest="0")
    with pytest.raises(InputError, match="gaze was not tested on the same eyes as plain"):
        ablation_stage(VARIANTS)
    assert not Path("results/ablation/metrics.json").exists()
    assert not Path("mlflow.db").exists()


def test_an_ablation_without_gaze_labels_shows_what_translation_does(folder: Path) -> None:
    nobody = np.zeros((0, 2), np.float32)
    for variant in VARIANTS.ablation:
        evaluation = replace(evaluate(), person=np.zeros(0, "U3"), gaze=nobody, head=nobody, estimates={})
        record(Branch(variant), evaluation)
    assert "3.25" in ablation_stage(VARIANTS)


PERSONS = ["p00", "p01", "p12"]
LEFT_OUT = Params.model_validate({"cross_person": {"persons": PERSONS}})


def of_person(number: int, **changes: Any) -> Evaluation:
    """An evaluation on ten eyes of one person more than of the person before."""
    rows = slice(0, 10 * (number + 1))
    evaluation = evaluate("same", radians=0.03 * (number + 1))
    distance = {"before": 9.0, "after": float(number), "floor": 1.0}
    quality = {"quality": {"s2r": {"sliced_wasserstein": distance, "taken_for_target": 0.5}}}
    kept = {"gaze_drift_degrees": number, "landmark_drift_pixels": 1, "change": 9, "unchanged_share": 0.5}
    kept |= {"cycle_error": 4}
    return replace(
        evaluation,
        person=np.array([PERSONS[number]] * (10 * (number + 1))),
        gaze=evaluation.gaze[rows],
        head=evaluation.head[rows],
        estimates={name: gaze[:, rows] for name, gaze in evaluation.estimates.items()},
        scores={
            "preservation": {"s2r": kept, "r2s": kept},
            "gaze_error_degrees": {"forward": {"mean": number}},
        }
        | (quality if number else {"quality": {}}),
        **changes,
    )


def unlabelled(evaluation: Evaluation) -> Evaluation:
    nobody = np.zeros((0, 2), np.float32)
    return replace(evaluation, person=np.zeros(0, "U3"), gaze=nobody, head=nobody, estimates={})


def record_persons(*evaluations: Evaluation) -> None:
    for person, evaluation in zip(PERSONS, evaluations, strict=True):
        record(Branch(test_person=person), evaluation)


def test_persons_left_out_are_judged_together(folder: Path) -> None:
    evaluations = [of_person(i) for i in range(3)]
    record_persons(*evaluations)
    text = cross_person_stage(LEFT_OUT)
    pooled = pool(dict(zip(PERSONS, evaluations, strict=True)))["forward"]
    single = [pool({person: each})["forward"] for person, each in zip(PERSONS, evaluations, strict=True)]
    means = [found.mean for found in single]
    assert pooled.mean == pytest.approx(np.average(means, weights=[10, 20, 30]))
    assert pooled.seeds == 2
    assert pooled.by_person() == dict(zip(PERSONS, map(pytest.approx, means), strict=True))
    scores = json.loads(Path("results/cross_person/metrics.json").read_text())
    error = scores["gaze_error_degrees"]["forward"]
    assert (error["mean"], error["eyes"], error["persons"], error["over"]) == (pooled.mean, 60, 3, "persons")
    assert (error["low"], error["high"]) == mean_interval(pooled)[:2]
    assert set(scores["against_no_adaptation"]) == {"mean_gaze", "forward", "backward"}
    assert scores["preservation"]["s2r"]["gaze_drift_degrees"] == 1
    assert scores["quality"]["s2r"]["sliced_wasserstein"]["after"] == 1.5  # of those who have it
    table = rows("results/cross_person/table.csv")
    assert [row["person"] for row in table] == [*PERSONS, "all persons"]
    assert [row["eyes"] for row in table] == ["10", "20", "30", "60"]
    assert [float(row["forward/mean"]) for row in table] == pytest.approx([*means, pooled.mean], abs=1e-4)
    difference = scores["against_no_adaptation"]["forward"]["difference"]
    assert float(table[-1]["forward/difference"]) == pytest.approx(difference, abs=1e-4)
    flat = " ".join(text.split())
    for part in (
        "all persons",
        f"{means[1]:.2f} ± {single[1].spread:.2f}",
        f"forward: {scores['against_no_adaptation']['forward']['verdict']}",
        "results/cross_person/persons.png",
    ):
        assert part in flat
    assert Path("results/cross_person/persons.png").stat().st_size > 5000
    (below,) = children("cross_person")
    assert {name: run.data.params for name, run in below.items()} == {
        person: {"test_person": person} for person in PERSONS
    }
    assert below["p12"].data.metrics["gaze_error_degrees/forward/mean"] == 2
    assert below["p12"].data.tags["upstream.evaluation"] == "run-p12"


def test_persons_without_labels_are_left_out_of_all(folder: Path) -> None:
    record_persons(of_person(0), unlabelled(of_person(1)), of_person(2))
    cross_person_stage(LEFT_OUT)
    table = rows("results/cross_person/table.csv")
    assert [row["eyes"] for row in table] == ["10", "0", "30", "40"]
    assert table[1]["forward/mean"] == ""


def test_what_cannot_be_judged_together_is_said(folder: Path) -> None:
    with pytest.raises(InputError, match=r"cross_person\.persons: names nobody"):
        cross_person_stage(Params())
    with pytest.raises(InputError, match=rf"no evaluation of p00, p01, p12; `dvc repro {CROSS_PERSON}`"):
        cross_person_stage(LEFT_OUT)
    record_persons(*(unlabelled(of_person(i)) for i in range(3)))
    with pytest.raises(InputError, match="none of p00, p01, p12 has gaze labels"):
        cross_person_stage(LEFT_OUT)
    record_persons(of_person(0), of_person(1, seeds=(0, 7)), of_person(2))
    with pytest.raises(InputError, match="p01 was evaluated with the seeds 0, 7, p00 with 0, 1"):
        cross_person_stage(LEFT_OUT)


def test_protocols_that_somebody_lacks_are_not_those_of_all(folder: Path) -> None:
    lacking = of_person(1, skipped={"backward": "no translator"})
    del lacking.estimates["backward"]
    record_persons(of_person(0), lacking, of_person(2))
    text = cross_person_stage(LEFT_OUT)
    scores = json.loads(Path("results/cross_person/metrics.json").read_text())
    assert "backward" not in scores["gaze_error_degrees"]
    assert scores["skipped"]["backward"] == "p01: no translator"
    assert "p01: no translator" in " ".join(text.split())


def test_it_is_said_whose_unlabelled_pictures_the_synthetic_eyes_were_adapted_to(folder: Path) -> None:
    record_persons(*(of_person(i) for i in range(3)))
    sentence = "adapted S were estimated from unlabelled pictures, including those of p00, p01."
    assert sentence in " ".join(cross_person_stage(LEFT_OUT).split())  # p12 is tested on by default
    assert sentence not in " ".join(cross_person_stage(without_adaptation(LEFT_OUT)).split())
    assert adapted_to(LEFT_OUT, leave_out(LEFT_OUT, "p12").split.test_persons) == []
    assert adapted_to(LEFT_OUT, leave_out(LEFT_OUT, "p00").split.test_persons) == ["p00"]


def without_adaptation(params: Params) -> Params:
    return params.model_copy(update={"adapt": params.adapt.model_copy(update={"method": "none"})})
