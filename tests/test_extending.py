"""A loss, a frozen network, an architecture or a score is added in one place, without other edits."""

import csv
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from conftest import HEIGHT, WIDTH, write_project
from discs import disc_features
from test_gan_options import begin, options, weights
from test_training import fit_gan, gan_params
from torch import Tensor, nn

from fpgan.config import load_params
from fpgan.errors import InputError
from fpgan.layout import Branch, Trial
from fpgan.networks.eye_network import EyeNetwork
from fpgan.networks.gazenet import GAZE_ESTIMATORS, Architecture, GazeNet
from fpgan.networks.generator import GENERATORS, Generator
from fpgan.networks.inference import estimate_gaze, translate_pictures
from fpgan.networks.weights import load_network, save_network
from fpgan.params import GANWeights, GeneratorParams, Section, TrainGaze
from fpgan.stages.train_gan import needed_features, train_gan_stage
from fpgan.training.objective import (
    FROZEN_FEATURES,
    PICTURE_TERMS,
    FrozenFeature,
    TranslatedBatch,
    build_networks,
    generator_arguments,
)
from fpgan.training.recorder import Silent


class BrightnessWeights(GANWeights):
    """The weights with one for an additional loss."""

    brightness: float = 0


class Brightness(EyeNetwork):
    """The mean of pictures (N, C, H, W), times a weight: (N, 1)."""

    answer = "brightness"

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x.mean((1, 2, 3))[:, None]


class PointwiseLayers(nn.Module):
    """An architecture of a single 1 x 1 convolution."""

    def __init__(self, channels: int, *_: Any) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x)


BRIGHTNESS = FrozenFeature(
    Brightness,
    "brightness_net",
    lambda trial: Path("models/brightness.safetensors"),
    lambda wanted, found, translation: (found - wanted).abs().mean(),
)


def names(section: type[Section], field: str) -> tuple[str, ...]:
    """The values that a field of the parameters may have."""
    return get_args(section.model_fields[field].annotation)


def test_the_tables_and_the_parameters_have_the_same_names() -> None:
    assert names(GeneratorParams, "network") == tuple(GENERATORS)
    assert names(TrainGaze, "network") == tuple(GAZE_ESTIMATORS)
    assert set(GANWeights.model_fields) == PICTURE_TERMS.keys() | FROZEN_FEATURES.keys()


def brightness_terms(x: TranslatedBatch) -> dict[str, Tensor]:
    return {"brightness": (x.fake_r.mean() - x.s.mean()).abs()}


def test_a_new_loss_of_pictures_is_trained_and_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PICTURE_TERMS, "brightness", brightness_terms)
    last = []
    for weight in (0, 100):
        params = options(weights=BrightnessWeights(cycle_synthetic=0, cycle_real=0, brightness=weight))
        training = begin(params)
        scalars = [training.step(step) for step in range(params.steps)]
        assert ("loss/brightness" in scalars[0]) == (weight > 0)
        fake_r = translate_pictures(training.kept().G, training.synthetic[:, 0].numpy())
        last.append(abs(fake_r.mean() - training.synthetic.float().mean().item()))
    assert last[1] < last[0] / 2


def test_a_loss_of_a_new_frozen_network_is_trained_and_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FROZEN_FEATURES, "brightness", BRIGHTNESS)
    network = Brightness()
    last = []
    for weight in (0, 100):
        params = options(weights=BrightnessWeights(cycle_synthetic=0, cycle_real=0, brightness=weight))
        training = begin(params, features=disc_features() | {"brightness": network})
        scalars = [training.step(step) for step in range(params.steps)]
        assert ({"loss/brightness_s2r", "loss/brightness_r2s"} <= scalars[0].keys()) == (weight > 0)
        translated = translate_pictures(training.kept().F, training.real[:, 0].numpy())
        last.append(abs(translated.mean() - training.real.float().mean().item()))
    assert last[1] < last[0] / 2
    assert network.scale.item() == 1


def test_the_stage_loads_a_new_frozen_network_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, steps=3, tick=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(FROZEN_FEATURES, "brightness", BRIGHTNESS)
    assert needed_features(BrightnessWeights()).keys() == {"gaze", "landmarks"}
    params = load_params(Path("params.yaml"))
    section = params.train_gan.model_copy(update={"weights": BrightnessWeights(brightness=1)})
    params, trial = params.model_copy(update={"train_gan": section}), Trial(Branch(), 0)
    with pytest.raises(InputError, match=r"brightness\.safetensors"):
        train_gan_stage(params, trial)
    save_network(Path("models/brightness.safetensors"), Brightness(2.0), {"scale": 2.0})
    train_gan_stage(params, trial)
    with Path("results/train-gan/0/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss/brightness_s2r"]) > 0 for row in rows] == [True] * 3


def test_a_new_generator_is_chosen_by_name_trained_and_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GENERATORS, "pointwise", PointwiseLayers)
    named = GeneratorParams().model_copy(update={"network": "pointwise"})
    params = options(weights=weights(cycle_synthetic=1)).model_copy(update={"generator": named})
    before = build_networks(params, 1, seed=0).G.state_dict()
    training = begin(params)
    for step in range(3):
        training.step(step)
    generator = training.kept().G
    assert {key: value.shape for key, value in generator.state_dict().items()} == {
        "layers.convolution.weight": (1, 1, 1, 1),
        "layers.convolution.bias": (1,),
    }
    assert not torch.equal(generator.state_dict()["layers.convolution.weight"], next(iter(before.values())))
    save_network(tmp_path / "G", generator, generator_arguments(params, 1))
    pictures = training.synthetic[:, 0].numpy()
    loaded = translate_pictures(load_network(tmp_path / "G", Generator), pictures)
    assert (loaded == translate_pictures(generator, pictures)).all()
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"G: no generator is called 'pointwise'; known: residual"):
        load_network(tmp_path / "G", EyeNetwork)


def test_a_new_gaze_estimator_is_chosen_by_name_and_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GAZE_ESTIMATORS, "linear", Architecture(lambda channels: nn.Flatten(), ()))
    arguments: dict[str, Any] = {"channels": 1, "height": HEIGHT, "width": WIDTH, "network": "linear"}
    network = GazeNet(**arguments)
    assert sum(weight.numel() for weight in network.parameters()) == 2 * (HEIGHT * WIDTH + 1)
    save_network(tmp_path / "gaze", network, arguments)
    pictures = begin(gan_params()).real[:3, 0].numpy()
    found = estimate_gaze(load_network(tmp_path / "gaze", GazeNet), pictures)
    assert (found == estimate_gaze(network, pictures)).all()
    with pytest.raises(InputError, match=r"no gaze estimator is called 'linar'; known: simgan, .*linear"):
        GazeNet(network="linar")


def test_a_new_score_of_held_out_eyes_is_logged_by_its_name(tmp_path: Path) -> None:
    logged: dict[int, dict[str, float]] = {}

    class Logging(Silent):
        def metrics(self, step: int, values: dict[str, float]) -> None:
            logged[step] = values

    _, history = fit_gan(tmp_path, gan_params(steps=4), Logging(), lambda step, _: {"s2r/new": step / 2})
    assert [row["s2r/new"] for row in history] == [1, 2]
    assert [values["s2r/new"] for values in logged.values()] == [0, 1, 2]
