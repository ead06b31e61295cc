import copy
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, draw_eyes
from torch import Tensor, nn

from fpgan.data.pictures import output_to_pictures, pictures_to_input
from fpgan.errors import InputError
from fpgan.networks.discriminator import Discriminator, patch_size
from fpgan.networks.frozen import frozen
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator, ResidualBlock, Upsampling
from fpgan.networks.hourglass import LandmarkNet, soft_argmax
from fpgan.networks.inference import estimate_gaze, translate_pictures
from fpgan.networks.normalization_layers import InstanceNorm, Normalization
from fpgan.networks.weights import absence, load_network, save_absence, save_network


def count(network: nn.Module) -> float:
    return sum(weight.numel() for weight in network.parameters()) / 1e6


@pytest.mark.parametrize(
    ("height", "width", "channels"),
    [(36, 60, 1), (36, 60, 3), (20, 32, 1), (64, 64, 1), (16, 16, 3), (28, 44, 1)],
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


@pytest.mark.parametrize(("filters", "blocks"), [(4, 1), (6, 3)])
def test_filters_are_doubled_where_the_picture_is_halved(filters: int, blocks: int) -> None:
    generator = Generator(3, filters, blocks)
    widths = [m.out_channels for m in generator.layers if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert widths == [filters, 2 * filters, 4 * filters, 2 * filters, filters, 3]
    assert sum(isinstance(layer, ResidualBlock) for layer in generator.layers) == blocks
    discriminator = Discriminator(3, filters, layers=3)
    widths = [m.out_channels for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [filters, 2 * filters, 4 * filters, 1]


def random_pictures(count: int, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    return torch.rand(count, 1, height, width) * 2 - 1


def test_an_instance_normalized_generator_ignores_brightness_and_contrast() -> None:
    torch.manual_seed(0)
    x = random_pictures(3)
    gain, offset = (
        torch.tensor([1, 3, 0.5])[:, None, None, None],
        torch.tensor([0, 2, -1])[:, None, None, None],
    )
    generator = Generator(1, 8, 2, "instance")
    torch.testing.assert_close(generator(x * gain + offset), generator(x), rtol=0, atol=5e-3)
    other = Generator(1, 8, 2, "none")
    assert (other(x * gain + offset) - other(x)).abs()[1:].mean() > 0.05


@pytest.mark.parametrize(("kind", "mixes"), [("instance", False), ("batch", True), ("none", False)])
def test_only_batch_normalization_mixes_pictures_and_only_in_training(
    kind: Normalization, mixes: bool
) -> None:
    torch.manual_seed(0)
    x, mates, others = random_pictures(1), random_pictures(3), random_pictures(3) / 4
    for network in (Generator(1, 8, 2, kind), Discriminator(1, 8, 3, kind)):
        for training in (True, False):
            network.train(training)
            with torch.no_grad():
                one, other = (network(torch.cat([x, rest]))[0] for rest in (mates, others))
            assert ((one - other).abs().max() > 1e-3) == (mixes and training)


def test_without_normalization_every_convolution_has_biases_instead() -> None:
    norms = (nn.BatchNorm2d, InstanceNorm)
    for kind in ("instance", "batch", "none"):
        for network in (Generator(1, 4, 2, kind), Discriminator(1, 4, 3, kind)):
            convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
            normalized = sum(isinstance(m, norms) for m in network.modules())
            with_bias = sum(m.bias is not None for m in convolutions)
            # A normalization subtracts the mean, and a bias with it.
            assert with_bias + normalized >= len(convolutions)
            assert (normalized == 0) == (kind == "none")
            if kind == "none":
                assert with_bias == len(convolutions)


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("kind", ["instance", "batch", "none"])
@pytest.mark.parametrize("blocks", [1, 9])
def test_initial_translations_are_pictures_with_gradients_for_the_first_layer(
    kind: Normalization, upsampling: Upsampling, blocks: int
) -> None:
    for seed in range(2):
        torch.manual_seed(seed)
        generator = Generator(1, 8, blocks, kind, upsampling)
        y = generator(random_pictures(4))
        assert y.std((2, 3)).min() > 0.05  # neither constant nor vanishing
        assert (y.abs() > 0.99).float().mean() < 0.05  # nor saturated, with no gradient through tanh
        (y - 0.5).square().mean().backward()
        first = next(generator.parameters())
        assert first.grad is not None
        assert first.grad.norm() > 1e-3


@pytest.mark.parametrize("kind", ["instance", "batch", "none"])
def test_resizing_leaves_no_checkerboard(kind: Normalization) -> None:
    random = np.random.default_rng(0).normal(size=(2, HEIGHT * 2, WIDTH * 2)).astype(np.float32)
    smooth = torch.from_numpy(np.stack([cv2.GaussianBlur(picture, (0, 0), 4) for picture in random]))[:, None]

    def checkerboard(upsampling: Upsampling) -> float:
        """Share of the power at half a period per pixel, along one axis or both."""
        shares = []
        for seed in range(4):
            torch.manual_seed(seed)
            with torch.no_grad():
                y = Generator(1, 8, 2, kind, upsampling)(smooth / smooth.std() / 2)
            power = torch.fft.rfft2(y - y.mean((2, 3), keepdim=True)).abs().square()
            fastest = power[..., HEIGHT, WIDTH] + power[..., 0, WIDTH] + power[..., HEIGHT, 0]
            shares.append((fastest / power.sum((2, 3))).mean().item())
        return float(np.mean(shares))

    assert checkerboard("resize") < checkerboard("transposed") / 10


def test_a_constant_picture_stays_constant_only_by_resizing() -> None:
    torch.manual_seed(0)
    even = torch.full((1, 1, HEIGHT, WIDTH), 0.3)
    assert Generator(1, 8, 2, "none", "resize")(even).std() < 1e-5
    assert Generator(1, 8, 2, "none", "transposed")(even).std() > 1e-2


@pytest.mark.parametrize(("layers", "pixels"), [(1, 10), (2, 22), (3, 46), (4, 94)])
def test_a_value_of_a_discriminator_judges_exactly_its_patch(layers: int, pixels: int) -> None:
    assert patch_size(layers) == pixels
    torch.manual_seed(0)
    discriminator = Discriminator(1, 4, layers, "none")
    x = torch.randn(1, 1, 2 * pixels, 2 * pixels, requires_grad=True)
    judged = discriminator(x)
    assert judged.shape[2:] == (math.ceil(2 * pixels / 2**layers),) * 2
    middle = judged.shape[2] // 2
    judged[0, 0, middle, middle].backward()
    assert x.grad is not None
    reached = x.grad[0, 0] != 0
    first = middle - 1  # TensorFlow pads less before than after if it cannot pad equally
    for _ in range(layers):
        first = 2 * first - 1
    expected = torch.zeros_like(reached)
    expected[first : first + pixels, first : first + pixels] = True
    assert torch.equal(reached, expected)


@pytest.mark.parametrize("kind", ["instance", "batch", "none"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_map_of_a_single_value_is_judged_and_trains(kind: Normalization, count: int) -> None:
    torch.manual_seed(0)
    x = random_pictures(count, 16, 16).requires_grad_()
    judged = Discriminator(1, 8, 4, kind)(x)
    assert judged.shape == (count, 1, 1, 1)
    judged.sum().backward()
    assert x.grad is not None
    assert (x.grad.flatten(1).norm(dim=1) > 0).all()


def small_eyes(count: int, seed: int) -> Tensor:
    return pictures_to_input(draw_eyes(count, seed).image[:, :16, 8:24])


def trained(network: nn.Module) -> nn.Module:
    """The network after a few training steps, with batch statistics that differ from the initial ones."""
    x = small_eyes(16, seed=0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(4):
        optimizer.zero_grad()
        (network(x) / 10).square().mean().backward()
        optimizer.step()
    return network


@pytest.mark.parametrize("name", ["simgan", "reference", "residual", "landmarks"])
def test_a_frozen_network_gives_the_answers_of_the_trained_one(name: str) -> None:
    torch.manual_seed(0)
    kinds: dict[str, Callable[[], nn.Module]] = {
        "simgan": lambda: GazeNet(1, 16, 16, "simgan"),
        "reference": lambda: GazeNet(1, 16, 16, "reference"),
        "residual": lambda: GazeNet(1, 16, 16, "residual"),
        "landmarks": lambda: LandmarkNet(1, modules=2, features=8),
    }
    network = trained(kinds[name]())
    before = copy.deepcopy(network.state_dict())
    fixed = frozen(network)
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(weight.requires_grad for weight in fixed.parameters())
    # Folded into the layer before, which halves the time.
    assert not any(isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) for module in fixed.modules())
    network.eval()
    images = small_eyes(5, seed=1)
    one, other = images.clone().requires_grad_(), images.clone().requires_grad_()
    expected, found = network(one), fixed(other)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    weights = torch.randn_like(expected)  # of a loss, to compute gradients
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    assert one.grad is not None
    assert other.grad is not None
    assert one.grad.abs().max() > 1e-3
    torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-4 * one.grad.abs().max().item())


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


def test_inference_answers_for_every_picture_in_any_batch_size_and_restores_the_mode() -> None:
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


def test_the_same_network_is_stored_in_the_same_bytes(tmp_path: Path) -> None:
    network = Generator(1, 4, 1)
    for i in range(8):
        save_network(tmp_path / str(i), network, {"channels": 1, "filters": 4, "residual_blocks": 1})
    assert len({(tmp_path / str(i)).read_bytes() for i in range(8)}) == 1


def test_a_file_without_a_usable_model_is_named(tmp_path: Path) -> None:
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
