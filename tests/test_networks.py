from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fpgan.errors import InputError
from fpgan.networks.discriminator import Discriminator
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet, soft_argmax
from fpgan.networks.inference import estimate_gaze, translate_pictures
from fpgan.networks.store import absence, load_network, save_absence, save_network
from fpgan.pictures import output_to_pictures, pictures_to_input


def count(network: nn.Module) -> float:
    return sum(weight.numel() for weight in network.parameters()) / 1e6


@pytest.mark.parametrize(
    ("height", "width", "channels"), [(36, 60, 1), (36, 60, 3), (20, 32, 1), (64, 64, 1)]
)
def test_every_network_takes_every_size_divisible_by_four(height: int, width: int, channels: int) -> None:
    x = torch.rand(2, channels, height, width) * 2 - 1
    y = Generator(channels, filters=4, residual_blocks=1)(x)
    assert y.shape == x.shape
    assert y.abs().max() <= 1
    assert Discriminator(channels, filters=4)(x).shape[:2] == (2, 1)
    assert LandmarkNet(channels, modules=2, features=8)(x).shape == (2, 18, 2)
    for network in ("simgan", "residual"):
        assert GazeNet(channels, height, width, network).eval()(x).shape == (2, 2)


def test_published_sizes() -> None:
    assert count(Generator(1, 64, 6)) == pytest.approx(7.8, abs=0.1)
    assert Discriminator(1, 64, 4)(torch.zeros(1, 1, 36, 60)).shape == (1, 1, 3, 4)
    simgan, reference = GazeNet(network="simgan"), GazeNet(network="reference")
    assert count(reference) > 8 * count(simgan)
    assert [m.out_features for m in reference.modules() if isinstance(m, nn.Linear)] == [9600, 1000, 2]
    # The convolutions before the heatmaps: one module's output feeds the next.
    maps = LandmarkNet(modules=3, features=8).heatmaps(torch.zeros(1, 1, 36, 60))
    assert [m.shape for m in maps] == [(1, 18, 18, 30)] * 3


def test_soft_argmax_finds_a_peak_between_its_cells() -> None:
    maps = torch.full((1, 2, 18, 30), -50.0)
    maps[0, 0, 4, 10] = 50
    maps[0, 1, 4, 10] = maps[0, 1, 4, 11] = 50
    # Cell i of a half-size map covers pixels 2i and 2i + 1.
    expected = torch.tensor([[[20.5, 8.5], [21.5, 8.5]]])
    torch.testing.assert_close(soft_argmax(maps), expected)


@pytest.mark.parametrize("color", [False, True])
def test_pictures_come_back_from_network_input_unchanged(color: bool) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 12, 3) if color else (5, 8, 12), dtype=np.uint8)
    x = pictures_to_input(images)
    assert x.shape == (5, 3 if color else 1, 8, 12)
    assert x.abs().max() <= 1
    np.testing.assert_array_equal(output_to_pictures(x), images)


def test_inference_keeps_every_picture_whatever_the_batch_and_leaves_the_mode() -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 20, 32), dtype=np.uint8)
    generator = Generator(1, 4, 1).train()
    one = translate_pictures(generator, images, batch_size=1)
    assert one.shape == images.shape
    assert np.abs(one.astype(int) - translate_pictures(generator, images, batch_size=4)).max() <= 1
    assert generator.training
    assert estimate_gaze(GazeNet(1, 20, 32), images).shape == (7, 2)


def test_stored_networks_load_as_they_were(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = GazeNet(1, 20, 32, "residual")
    network(torch.rand(4, 1, 20, 32))  # so that the batch statistics are not the initial ones
    path = tmp_path / "models" / "gazenet.safetensors"
    save_network(path, network, {"channels": 1, "height": 20, "width": 32, "network": "residual"})
    loaded = load_network(path, GazeNet)
    assert not loaded.training
    x = torch.rand(3, 1, 20, 32)
    torch.testing.assert_close(loaded(x), network.eval()(x), rtol=0, atol=0)


def test_a_model_file_that_is_no_use_is_named(tmp_path: Path) -> None:
    save_network(tmp_path / "G", Generator(1, 4, 1), {"channels": 1, "filters": 4, "residual_blocks": 1})
    with pytest.raises(InputError, match="holds a Generator, not a GazeNet"):
        load_network(tmp_path / "G", GazeNet)
    with pytest.raises(InputError, match="no such model"):
        load_network(tmp_path / "absent", GazeNet)
    (tmp_path / "cut").write_bytes((tmp_path / "G").read_bytes()[:1000])
    with pytest.raises(InputError, match="not a readable model"):
        load_network(tmp_path / "cut", Generator)
    save_absence(tmp_path / "none", "there are no labels")
    assert absence(tmp_path / "none") == "there are no labels"
    assert absence(tmp_path / "G") is None
    with pytest.raises(InputError, match="there are no labels"):
        load_network(tmp_path / "none", GazeNet)
