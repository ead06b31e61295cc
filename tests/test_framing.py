"""Irises, scales, shifts and mirrored sets, against eyes whose geometry is known."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fpgan.data.datasets import prepare
from fpgan.data.eye_set import load_eyes
from fpgan.data.eyes import Eyes
from fpgan.data.mpiifacegaze import MPIIFACEGAZE
from fpgan.data.unityeyes import UNITYEYES
from fpgan.inspection.framing import compare, find_irises, grey_pictures, measure_framing
from fpgan.params import EyePicture, PrepareMPIIFaceGaze, PrepareUnityEyes


def draw_irises(count: int, seed: int, *, ground: int = 200, disc: int = 40, size: float = 1) -> Eyes:
    """Dark discs of radius 9 on a light 60 x 36 ground, displaced as their gaze says, enlarged by `size`."""
    random = np.random.default_rng(seed)
    gaze = random.uniform(-0.4, 0.4, (count, 2)).astype(np.float32)
    center = np.array([29.5, 17.5]) - 15 * gaze[:, ::-1]
    width, height = round(60 * size), round(36 * size)
    x, y = np.meshgrid((np.arange(width) + 0.5) / size - 0.5, (np.arange(height) + 0.5) / size - 0.5)
    distance = np.hypot(x - center[:, 0, None, None], y - center[:, 1, None, None])
    images = disc + (ground - disc) * np.clip((distance - 9) * size + 0.5, 0, 1)
    images += random.normal(0, 5, images.shape)
    turns = np.arange(18) / 18 * 2 * np.pi
    landmarks = center[:, None] + 9 * np.stack([np.cos(turns), np.sin(turns)], 1)
    landmarks[:, 16] = center
    return Eyes(
        images.clip(0, 255).astype(np.uint8),
        gaze,
        np.zeros((count, 2), np.float32),
        ((landmarks + 0.5) * size - 0.5).astype(np.float32),
        np.full(count, "p00"),
    )


@pytest.fixture(scope="module")
def synthetic(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Eyes:
    path = tmp_path_factory.mktemp("synthetic") / "eyes.h5"
    prepare(UNITYEYES, rendered / "UnityEyes", path, EyePicture(), PrepareUnityEyes(), workers=1)
    return load_eyes(path)


@pytest.fixture(scope="module")
def real(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Eyes:
    path = tmp_path_factory.mktemp("real") / "eyes.h5"
    prepare(MPIIFACEGAZE, rendered / "MPIIFaceGaze", path, EyePicture(), PrepareMPIIFaceGaze(), workers=1)
    return load_eyes(path)


def without_labels(eyes: Eyes) -> Eyes:
    return replace(
        eyes,
        gaze=np.full_like(eyes.gaze, np.nan),
        head=np.full_like(eyes.head, np.nan),
        landmarks=np.full_like(eyes.landmarks, np.nan),
    )


def moved(eyes: Eyes, scale: float, shift: tuple[float, float]) -> Eyes:
    """The eyes enlarged about the picture's middle, then shifted by pixels; unlabelled."""
    height, width = eyes.image.shape[1:3]
    middle = (np.array([width, height]) - 1) / 2
    move = np.column_stack([scale * np.eye(2), middle * (1 - scale) + shift])
    images = [
        cv2.warpAffine(image, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for image in eyes.image
    ]
    return without_labels(eyes.with_images(np.array(images, np.uint8)))


def iris_radius(eyes: Eyes) -> float:
    """Half the width of the labelled irises that look ahead."""
    ahead = np.abs(eyes.gaze[:, 1]) < np.radians(15)
    return float(np.ptp(eyes.landmarks[ahead, 8:16, 0], axis=1).mean() / 2)


@pytest.mark.parametrize(("ground", "disc"), [(200, 40), (255, 0), (140, 90)])
@pytest.mark.parametrize(("size", "accuracy"), [(0.6, 0.2), (1.0, 0.08), (3.0, 0.08)])
def test_finds_drawn_irises_at_any_size_and_brightness(
    ground: int, disc: int, size: float, accuracy: float
) -> None:
    eyes = draw_irises(20, 0, ground=ground, disc=disc, size=size)
    irises = find_irises(grey_pictures(eyes.image))
    true = (eyes.landmarks[:, 16] + 0.5) / size - [30, 18]
    assert np.median(np.abs(irises.center - true)) < max(0.5, 0.5 / size)  # half a pixel of the picture
    assert measure_framing(without_labels(eyes)).iris_radius == pytest.approx(9, rel=accuracy)


def test_finds_rendered_irises(synthetic: Eyes) -> None:
    irises = find_irises(grey_pictures(synthetic.image))
    true = synthetic.landmarks[:, 16] - [29.5, 17.5]
    off = np.abs(irises.center - true)
    assert np.median(off[:, 0]) < 0.5
    assert np.median(off[:, 1]) < 2  # lids hide the upper and the lower edge


def test_radius_agrees_with_the_landmarks_and_does_not_need_them(synthetic: Eyes) -> None:
    measured = measure_framing(synthetic)
    assert measured.iris_radius == pytest.approx(iris_radius(synthetic), rel=0.08)
    unlabelled = measure_framing(without_labels(synthetic))
    assert unlabelled.iris_radius == pytest.approx(iris_radius(synthetic), rel=0.08)
    assert unlabelled.lid_width is None


def test_radius_of_rendered_people_is_that_of_their_irises(real: Eyes) -> None:
    # 5.865 mm times 0.9 to 1, seen at 600 mm with a focal length of 960 pixels, 5 mm before the eye's centre.
    assert measure_framing(real).iris_radius == pytest.approx(5.865 * 0.95 * 960 / 595, rel=0.1)


@settings(max_examples=5, deadline=None)
@given(scale=st.floats(0.7, 1.3), x=st.floats(-4, 4), y=st.floats(-2, 2), seed=st.integers(0, 1000))
def test_recovers_scale_and_shift(scale: float, x: float, y: float, seed: int) -> None:
    eyes = draw_irises(24, seed)
    other = replace(without_labels(eyes), gaze=eyes.gaze)
    found = compare(
        measure_framing(replace(moved(eyes, scale, (x, y)), gaze=eyes.gaze)), measure_framing(other)
    )
    assert found.scale == pytest.approx(scale, rel=0.08)
    middle = 15 * np.sin(0.153)  # where irises are that look down as MPIIGaze's do
    off = np.abs(found.shift - [x, middle * (scale - 1) + y])
    assert (off < np.maximum([0.5, 1.2], 3 * found.shift_error)).all()


@pytest.mark.parametrize("scale", [0.75, 1.0, 1.3])
def test_recovers_the_scale_of_rendered_eyes(synthetic: Eyes, scale: float) -> None:
    found = compare(
        measure_framing(moved(synthetic, scale, (0, 0))), measure_framing(without_labels(synthetic))
    )
    assert found.scale == pytest.approx(scale, rel=0.05)


def test_landmarks_of_other_pictures_do_not_mislead(synthetic: Eyes) -> None:
    mirrored = synthetic.with_images(np.ascontiguousarray(synthetic.image[:, :, ::-1]))
    own = measure_framing(without_labels(synthetic)).iris_radius
    assert measure_framing(mirrored).iris_radius == pytest.approx(own, rel=0.03)


def test_tells_mirrored_sets(synthetic: Eyes, real: Eyes) -> None:
    """Also of other persons and another renderer, and of pictures shifted to one side."""
    half = np.arange(len(synthetic)) % 2 == 0
    first, second = measure_framing(synthetic.select(half)), synthetic.select(~half)
    for others in (
        without_labels(second),
        without_labels(real),
        moved(second, 1, (3, 0)),
        moved(second, 1, (-3, 0)),
    ):
        assert compare(first, measure_framing(others)).asymmetry > 0.25
        flipped = others.with_images(np.ascontiguousarray(others.image[:, :, ::-1]))
        assert compare(first, measure_framing(flipped)).asymmetry < -0.25


def test_the_typical_gaze_is_where_irises_are_compared() -> None:
    """A set that looks to one side is not shifted, as far as its labels tell."""
    eyes = draw_irises(80, 0)
    left = eyes.select(eyes.gaze[:, 1] > 0.05)
    labelled = measure_framing(replace(left, landmarks=np.full_like(left.landmarks, np.nan)))
    all_eyes = measure_framing(replace(eyes, landmarks=np.full_like(eyes.landmarks, np.nan)))
    assert abs(labelled.iris_center[0] - all_eyes.iris_center[0]) < 0.5
    assert measure_framing(without_labels(left)).iris_center[0] < all_eyes.iris_center[0] - 3


def test_size_and_color_of_the_pictures_do_not_matter(synthetic: Eyes) -> None:
    eyes = synthetic.select(slice(40))
    doubled: NDArray[np.uint8] = np.array(
        [cv2.resize(image, (120, 72), interpolation=cv2.INTER_LINEAR) for image in eyes.image], np.uint8
    )
    colored = replace(
        eyes, image=np.repeat(doubled[..., None], 3, axis=3), landmarks=(eyes.landmarks + 0.5) * 2 - 0.5
    )
    one, other = measure_framing(eyes), measure_framing(colored)
    assert other.iris_radius == pytest.approx(one.iris_radius, rel=0.03)
    np.testing.assert_allclose(other.iris_center, one.iris_center, atol=0.1)


@pytest.mark.parametrize("shape", [(1, 36, 60), (3, 8, 8), (2, 200, 90), (1, 36, 60, 3)])
@pytest.mark.parametrize("grey", [0, 128])
def test_measures_single_and_empty_pictures_without_failing(shape: tuple[int, ...], grey: int) -> None:
    count = shape[0]
    nothing = np.full((count, 2), np.nan, np.float32)
    eyes = Eyes(
        np.full(shape, grey, np.uint8),
        nothing,
        nothing,
        np.full((count, 18, 2), np.nan, np.float32),
        np.full(count, "p00"),
    )
    framing = measure_framing(eyes)
    assert np.isfinite([framing.iris_radius, framing.iris_radius_error, *framing.iris_center]).all()
    assert np.isfinite(compare(framing, framing).asymmetry)
