"""Networks outside the project: exported files, the model registry, and a served translator."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from conftest import HEIGHT, WIDTH, draw_eyes, write_project
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_compare import evaluate
from torch import nn

from fpgan.cli import app
from fpgan.config import load_params
from fpgan.data.eye_set import load_eyes, save_eyes
from fpgan.data.eyes import equalize
from fpgan.data.pictures import pictures_to_input
from fpgan.deployment.candidates import find_candidates
from fpgan.deployment.champion import Measured, judge
from fpgan.deployment.formats import write_network
from fpgan.deployment.served_eyes import InvalidEyes, ServedNetwork
from fpgan.domains import Direction, TrainedOn
from fpgan.errors import InputError
from fpgan.evaluation.record import load_evaluation, save_evaluation
from fpgan.layout import EVALUATION, REGISTERED, Branch, Trial
from fpgan.networks.deployed import Deployed, equalize_color, equalize_grey
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import estimate_gaze, find_landmarks, translate_pictures
from fpgan.networks.weights import load_network, save_network
from fpgan.params import Params
from fpgan.stages.register import enter, register_stage
from fpgan.tracking.registry import champion
from fpgan.tracking.run import open_run

GAZE = {"channels": 1, "height": HEIGHT, "width": WIDTH, "network": "residual"}
GENERATOR = {"channels": 1, "filters": 4, "residual_blocks": 1}
KINDS = ["s2r", "r2s", "gaze", "landmarks"]
SEEDS = (0, 1)


def pictures(*shape: int, seed: int = 0) -> np.ndarray:
    """Eyes that are not equalised, one of them of a single level."""
    eyes = np.random.default_rng(seed).normal(90, 20, shape).clip(0, 255).astype(np.uint8)
    eyes[len(eyes) // 2] = 77
    return eyes


few_levels = st.one_of(st.integers(0, 255), st.integers(0, 3))


@given(arrays(np.uint8, (2, 4, 5), elements=few_levels, fill=few_levels))
@settings(deadline=None)
def test_grey_pictures_are_equalised_as_opencv_does(eyes: np.ndarray) -> None:
    found = equalize_grey(torch.from_numpy(eyes).float()).numpy()
    np.testing.assert_array_equal(found, equalize(eyes))


@given(arrays(np.uint8, (1, 4, 5, 3), elements=few_levels, fill=few_levels))
@settings(deadline=None)
def test_rgb_pictures_are_equalised_as_opencv_does(eyes: np.ndarray) -> None:
    found = equalize_color(torch.from_numpy(eyes).float()).numpy()
    np.testing.assert_array_equal(found, equalize(eyes))


def test_levels_are_rounded_as_opencv_does() -> None:
    """Every share that a level can have of a picture of 64 pixels."""
    counts = [(64 - others, some, others - some) for others in range(65) for some in range(others + 1)]
    eyes = np.stack([np.repeat(np.arange(3), count).reshape(8, 8) for count in counts]).astype(np.uint8)
    found = equalize_grey(torch.from_numpy(eyes).float()).numpy()
    np.testing.assert_array_equal(found, equalize(eyes))


@pytest.mark.parametrize("shape", [(36, 60), (36, 60, 3)])
def test_pictures_of_noise_are_equalised_as_opencv_does(shape: tuple[int, ...]) -> None:
    eyes = np.concatenate([pictures(200, *shape), np.random.default_rng(1).integers(0, 256, (200, *shape))])
    run = equalize_grey if len(shape) == 2 else equalize_color
    found = run(torch.from_numpy(eyes).float()).numpy()
    np.testing.assert_array_equal(found, equalize(eyes.astype(np.uint8)))


COLORED = {
    "channels": 3,
    "filters": 4,
    "residual_blocks": 1,
    "normalization": "batch",
    "upsampling": "resize",
}
NETWORKS: dict[str, tuple[type[nn.Module], dict[str, Any], float]] = {
    "grey generator": (Generator, GENERATOR, 127.5),
    "colour generator": (Generator, COLORED, 127.5),
    "gaze": (GazeNet, GAZE, 1),
    "simgan": (GazeNet, GAZE | {"network": "simgan"}, 1),
    "landmarks": (LandmarkNet, {"channels": 3, "modules": 2, "features": 4}, 1),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_answers_as_pytorch_does_to_any_number_of_eyes(tmp_path: Path, name: str) -> None:
    kind, arguments, unit = NETWORKS[name]
    torch.manual_seed(0)
    save_network(tmp_path / "network.safetensors", kind(**arguments), arguments)
    shape = (HEIGHT, WIDTH, 3)[: 3 if arguments["channels"] == 3 else 2]
    write_network(tmp_path / "network.safetensors", tmp_path / "network.onnx", "onnx", shape)
    network = load_network(tmp_path / "network.safetensors", kind)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    for count in (1, 2, 7):
        eyes = pictures(count, *shape, seed=count)
        answers = session.run(None, {"eyes": eyes})[0]
        with torch.no_grad():
            expected = network(pictures_to_input(equalize(eyes)))
        if kind is Generator:
            expected = (expected + 1) * 127.5
            expected = expected[:, 0] if len(shape) == 2 else expected.permute(0, 2, 3, 1)
        assert answers.dtype == np.float32
        np.testing.assert_allclose(answers, expected.numpy(), rtol=0, atol=1e-4 * unit)


def test_pt2_and_safetensors_answer_as_the_network_does(tmp_path: Path) -> None:
    source = tmp_path / "network.safetensors"
    save_network(source, Generator(**GENERATOR), GENERATOR)
    write_network(source, tmp_path / "network.pt2", "pt2", (HEIGHT, WIDTH))
    write_network(source, tmp_path / "copy", "safetensors", (HEIGHT, WIDTH))
    loaded = torch.export.load(tmp_path / "network.pt2").module()
    deployed = Deployed(load_network(tmp_path / "copy", Generator))
    for count in (1, 5):
        eyes = torch.from_numpy(pictures(count, HEIGHT, WIDTH))
        with torch.no_grad():
            torch.testing.assert_close(loaded(eyes), deployed(eyes), rtol=0, atol=1e-4 * 127.5)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["eyes.h5", "out.onnx", "--format", "onnx"], "eyes.h5: is an eye set, not a model"),
        (["G.safetensors", "out"], "G.safetensors: is a model, not an eye set"),
        (["G.safetensors", "eyes.h5", "--format", "onnx"], "eyes.h5: exists already"),
        (["absent.safetensors", "out.onnx", "--format", "onnx"], "absent.safetensors: no such model"),
        (["params.yaml", "out.pt2", "--format", "pt2"], "params.yaml: not a readable model"),
        (
            ["gaze.safetensors", "out.onnx", "--format", "onnx", "--set", "eyes.width=60"],
            "was not trained on pictures of 60 x 20 pixels in grey",
        ),
    ],
)
def test_what_cannot_be_exported_is_said_in_words_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump({"eyes": {"width": WIDTH, "height": HEIGHT}}))
    save_eyes(Path("eyes.h5"), draw_eyes(3, seed=0), equalized=False)
    save_network(Path("G.safetensors"), Generator(**GENERATOR), GENERATOR)
    save_network(Path("gaze.safetensors"), GazeNet(**GAZE), GAZE)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match=expected):
        app(["export", *arguments], standalone_mode=False)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("new", "old", "wins"),
    [
        (Measured(4.0, "a", False), None, True),
        (Measured(None, "a", False), None, True),
        (Measured(3.9, "a", False), Measured(4.0, "a", False), True),
        (Measured(4.0, "a", False), Measured(4.0, "a", False), False),
        (Measured(1.0, "b", False), Measured(4.0, "a", False), False),
        (Measured(9.0, "b", False), Measured(4.0, "a", True), True),
        (Measured(1.0, "b", True), Measured(4.0, "a", False), False),
        (Measured(None, "b", False), Measured(4.0, "a", True), False),
        (Measured(9.0, "a", False), Measured(None, "a", False), True),
    ],
)
def test_only_a_lower_error_on_the_same_eyes_makes_a_champion(
    new: Measured, old: Measured | None, wins: bool
) -> None:
    assert judge(new, old.tags() if old else None).wins == wins


def test_a_champion_that_somebody_else_registered_stays() -> None:
    assert not judge(Measured(1.0, "a", False), {"owner": "me"}).wins


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[tuple[Path, str]]:
    """An evaluated project whose networks were registered, and what that said."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", "")
        write_project(folder)
        shutil.copy(empty_store, folder)
        save_eyes(Path("data/prepared/synthetic/eyes.h5"), draw_eyes(40, seed=5), equalized=False)
        real = replace(draw_eyes(24, seed=1), person=np.array(["p00", "p01", "p02"] * 8))
        save_eyes(Path("data/prepared/real/eyes.h5"), real, equalized=False)
        torch.manual_seed(0)
        landmarks = {"channels": 1, "modules": 1, "features": 4}
        for trial in (Trial(Branch(), seed) for seed in SEEDS):
            for kind in TrainedOn:
                save_network(trial.gaze_net(kind), GazeNet(**GAZE), GAZE)
            for direction in Direction:
                save_network(trial.generator(direction), Generator(**GENERATOR), GENERATOR)
            save_network(trial.landmark_net, LandmarkNet(**landmarks), landmarks)
        data = {"unityeyes": "data/sample/UnityEyes", "mpiifacegaze": "data/sample/MPIIFaceGaze"}
        save_evaluation(EVALUATION, replace(evaluate(radians=0.05), params={"data": data}))
        yield folder, register_stage(load_params(Path("params.yaml"), None))


@pytest.fixture
def params(project: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Params:
    """Of that project, in whose folder the test runs."""
    monkeypatch.chdir(project[0])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    return load_params(Path("params.yaml"), None)


def expected_answers(kind: str, weights: Path, eyes: np.ndarray) -> tuple[np.ndarray, float]:
    """What the project's own networks say, and how far rounding may be from it."""
    if kind == "gaze":
        return estimate_gaze(load_network(weights, GazeNet), equalize(eyes)), 1e-4
    if kind == "landmarks":
        return find_landmarks(load_network(weights, LandmarkNet), equalize(eyes)), 1e-3
    return translate_pictures(load_network(weights, Generator), equalize(eyes)), 0.51  # bytes are rounded


def test_every_network_is_registered_with_all_that_describes_it(
    project: tuple[Path, str], params: Params
) -> None:
    _, reports = project
    evaluation = load_evaluation(EVALUATION)
    candidates = find_candidates(params.split, evaluation, [Trial(Branch(), seed) for seed in SEEDS])
    assert [candidate.kind for candidate in candidates] == KINDS
    client = mlflow.MlflowClient()
    run_id = json.loads((REGISTERED / "run.json").read_text())["run_id"]
    eyes = pictures(3, HEIGHT, WIDTH)
    for candidate in candidates:
        assert f"{candidate.kind}.onnx: fpgan-{candidate.kind} version 1" in reports
        version = client.get_model_version_by_alias(candidate.name, "champion")
        assert version.run_id == run_id
        assert "CC BY-NC-SA 4.0" in version.description
        assert "says nothing about real eyes" in version.description
        assert version.tags["seed"] == str(candidate.seed)
        assert version.tags["error"] == repr(candidate.measured.error)
        assert version.tags["test_persons"] == "p12, p13, p14"
        model = mlflow.pyfunc.load_model(f"models:/{candidate.name}@champion")
        signature = model.metadata.signature
        assert signature.inputs.inputs[0].type == np.uint8
        assert signature.inputs.inputs[0].shape == (-1, HEIGHT, WIDTH)
        answers = model.predict(eyes)
        expected, rounding = expected_answers(candidate.kind, candidate.weights, eyes)
        np.testing.assert_allclose(answers, expected, rtol=0, atol=rounding)
        assert signature.outputs.inputs[0].shape == (-1, *answers.shape[1:])
        assert model.input_example.shape[1:] == (HEIGHT, WIDTH)
        logged = client.get_logged_model(model.metadata.model_id)
        assert {metric.key for metric in logged.metrics} >= set(candidate.scores)
        stored = Path(mlflow.artifacts.download_artifacts(f"models:/{candidate.name}@champion"))
        assert not [path for path in stored.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".pth")]
        assert (stored / "model_card.md").read_text() in (REGISTERED / "model_card.md").read_text()
    assert "model_card.md" in {file.path for file in client.list_artifacts(run_id)}
    assert candidates[2].weights.parts[1] == "gaze-translated"  # forward errs least of those on raw real eyes


def test_the_same_evaluation_makes_no_second_version_and_a_better_one_the_champion(params: Params) -> None:
    evaluation = load_evaluation(EVALUATION)
    candidate = find_candidates(params.split, evaluation, [Trial(Branch(), seed) for seed in SEEDS])[2]
    assert candidate.measured.error is not None
    network = REGISTERED / "gaze.onnx"
    errors = {"worse": candidate.measured.error + 1, "better": candidate.measured.error - 1}
    with open_run(
        "register", experiment="fpgan", params={}, inputs={}, tags={}, description="", key="k", resume=None
    ) as run:
        reports = {"same": enter(candidate, evaluation, network, "card", run.id)}
        for name, error in errors.items():
            measured = candidate.measured._replace(error=error)
            reports[name] = enter(candidate._replace(measured=measured), evaluation, network, "card", run.id)
    assert "version 1 (registered before)" in reports["same"]
    assert reports["same"].endswith("; the champion")
    assert "version 2, error" in reports["worse"]
    assert "version 1 stays the champion" in reports["worse"]
    assert "version 3, error" in reports["better"]
    assert "now the champion" in reports["better"]
    found = champion("fpgan-gaze")
    assert found is not None
    assert found.version == 3


def test_without_labelled_test_eyes_the_first_networks_are_registered_and_it_is_said(
    params: Params,
) -> None:
    evaluation = load_evaluation(EVALUATION)
    nobody = replace(
        evaluation,
        person=evaluation.person[:0],
        gaze=evaluation.gaze[:0],
        head=evaluation.head[:0],
        estimates={},
    )
    candidates = find_candidates(params.split, nobody, [Trial(Branch(), seed) for seed in SEEDS])
    assert [candidate.measured.error is None for candidate in candidates] == [True, True, True, False]
    assert [candidate.seed for candidate in candidates[:3]] == [0, 0, 0]
    assert "not known" in candidates[0].choice


@pytest.fixture(scope="module")
def served(project: tuple[Path, str]) -> Iterator[str]:
    """The address at which `mlflow models serve` answers for the registered translator."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{project[0] / 'mlflow.db'}",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    server = subprocess.Popen(
        "mlflow models serve -m models:/fpgan-s2r@champion --env-manager local "
        f"--host 127.0.0.1 -p {port}".split(),
        cwd=project[0],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 400
        while not answers(address):
            assert server.poll() is None, "the server ended before it answered"
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/ping", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def post(address: str, content: Any) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"{address}/invocations", json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_served_translator_answers_to_batches_of_eyes(served: str, params: Params) -> None:
    version = champion("fpgan-s2r")
    assert version
    weights = Trial(Branch(), int(version.tags["seed"])).generator(Direction.S2R)
    eyes = load_eyes(Path("data/adapted/eyes.h5"), equalized=False).image
    for count in (1, 5):
        status, reply = post(served, {"inputs": eyes[:count].tolist()})
        assert status == 200
        expected, rounding = expected_answers("s2r", weights, eyes[:count])
        np.testing.assert_allclose(reply["predictions"], expected, rtol=0, atol=rounding)


WRONG: dict[str, tuple[Any, str]] = {
    "size": (np.zeros((2, 36, 60), int).tolist(), "got shape (2, 36, 60)"),
    "one picture": (np.zeros((HEIGHT, WIDTH), int).tolist(), f"got shape ({HEIGHT}, {WIDTH})"),
    "none": ([], "got"),
    "ragged": ([[[1, 2], [3]]], "not all of one size"),
    "fractions": (np.full((1, HEIGHT, WIDTH), 0.5).tolist(), "got floating-point numbers"),
    "text": (np.full((1, HEIGHT, WIDTH), "12").tolist(), "got text"),
    "true and false": (np.ones((1, HEIGHT, WIDTH), bool).tolist(), "got true and false"),
    "range": (np.full((1, HEIGHT, WIDTH), 300).tolist(), "got values from 300 to 300"),
    "by name": ({"eyes": [[1]]}, "got dict"),
    "null": (None, "got"),
}


@pytest.mark.parametrize("what", WRONG)
def test_invalid_input_returns_400_with_the_reason(served: str, what: str) -> None:
    sent, expected = WRONG[what]
    status, reply = post(served, {"inputs": sent})
    assert status == 400
    assert expected in reply["message"]
    assert f"expected whole numbers 0 to 255 of shape (N, {HEIGHT}, {WIDTH})" in reply["message"]
    assert len(reply["message"]) < 200
    assert "stack_trace" not in reply


def test_a_loaded_network_refuses_the_same(project: tuple[Path, str]) -> None:
    network = ServedNetwork(str(project[0] / REGISTERED / "gaze.onnx"))
    assert network.predict(pictures(2, HEIGHT, WIDTH)).shape == (2, 2)
    with pytest.raises(InvalidEyes, match="floating-point"):
        network.predict(np.zeros((2, HEIGHT, WIDTH), np.float32))


def test_a_registered_network_loads_where_this_project_and_pickle_are_not(
    project: tuple[Path, str],
) -> None:
    code = """
import pickle, sys
import mlflow, mlflow.onnx, mlflow.pyfunc.model, numpy, pandas
sys.modules["fpgan"] = None
def refuse(*_): raise AssertionError("unpickled")
pickle.load = pickle.loads = pickle.Unpickler = refuse
model = mlflow.pyfunc.load_model("models:/fpgan-landmarks@champion")
print(model.predict(model.input_example).shape)
print(mlflow.onnx.load_model("models:/fpgan-s2r@champion").graph.output[0].name)
"""
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{project[0] / 'mlflow.db'}"}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project[0],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["(2, 18, 2)", "translations"]
