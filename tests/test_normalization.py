from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import MIRROR, Scene, spot_center, write_person
from scipy.spatial.transform import Rotation

from fpgan.data.datasets import prepare
from fpgan.data.eye_set import load_eyes
from fpgan.data.eyes import Eyes
from fpgan.data.gaze import angular_error
from fpgan.data.mpiifacegaze import MPIIFACEGAZE
from fpgan.data.normalization import (
    Camera,
    NormalizedCamera,
    normalize_picture,
    projection_matrix,
    rotation_towards,
)
from fpgan.params import EyePicture, PrepareMPIIFaceGaze

MARKS = np.array([[0.0, 0.0], [-10, -6], [10, -6], [10, 6], [-10, 6]])  # mm about the eye's centre
PIXELS_A_MM = 960 / 600


def within(degrees: float) -> st.SearchStrategy:
    return st.floats(-np.radians(degrees), np.radians(degrees))


scenes = st.builds(
    Scene,
    side=st.sampled_from(["left", "right"]),
    head=st.tuples(within(40), within(40)),
    gaze=st.tuples(within(35), within(35)),
    direction=st.tuples(within(12), within(18), within(25)),
    distance=st.floats(400, 900),
    target_distance=st.floats(300, 900),
    matrix=st.builds(
        lambda f, ratio, x, y: np.array([[f, 0, x], [0, f * ratio, y], [0, 0, 1]]),
        st.floats(900, 1100),
        st.floats(0.98, 1.02),
        st.floats(600, 680),
        st.floats(340, 380),
    ),
    distortion=st.builds(
        lambda *values: np.array(values), *[st.floats(-m, m) for m in (0.2, 0.9, 0.01, 0.01, 1.3)]
    ),
)


def normalized(
    scene: Scene, picture: np.ndarray | None = None, size: EyePicture | None = None, **params: object
) -> Eyes:
    """What the whole preparation makes of a person who was seen once, in this scene."""
    with TemporaryDirectory() as folder:
        person = Path(folder) / "raw" / "p00"
        picture = scene.draw(MARKS) if picture is None else picture
        write_person(person, scene, [scene.line("day01/0001.jpg")], picture)
        chosen = PrepareMPIIFaceGaze(**{"eye": scene.side, **params})  # type: ignore[arg-type]
        output = Path(folder) / "eyes.h5"
        prepare(MPIIFACEGAZE, person.parent, output, size or EyePicture(), chosen)
        return load_eyes(output, equalized=False)


@settings(max_examples=40, deadline=None)
@given(scenes)
def test_gaze_head_and_picture_come_back(scene: Scene) -> None:
    """Any head within 40 degrees, a lens as MPIIFaceGaze's: labels to 0.05 degrees, spots to 0.2 pixels."""
    eyes = normalized(scene)
    flip = -1 if scene.side == "right" else 1
    assert angular_error(eyes.gaze[0], np.array(scene.gaze) * [1, flip]) < 0.05
    assert angular_error(eyes.head[0], np.array(scene.head) * [1, flip]) < 0.05
    for mark in MARKS:
        expected = np.array([29.5, 17.5]) + mark * [flip, 1] * PIXELS_A_MM
        found = spot_center(eyes.image[0], expected, reach=6)
        assert np.linalg.norm(found - expected) < 0.2, (mark, found, expected)


@settings(max_examples=25, deadline=None)
@given(scenes, st.integers(10, 60), st.integers(8, 60), st.booleans())
def test_pictures_of_any_size_and_color(scene: Scene, columns: int, rows: int, color: bool) -> None:
    """Sides divisible by 4, up to 240: the same view of the same width, its middle in the middle."""
    size = EyePicture(width=4 * columns, height=4 * rows, color=color)
    eyes = normalized(scene, cv2.applyColorMap(scene.draw(MARKS, 1.5), cv2.COLORMAP_BONE), size)
    assert eyes.image.shape == (1, size.height, size.width, 3)[: 4 if color else 3]
    flip = -1 if scene.side == "right" else 1
    assert angular_error(eyes.gaze[0], np.array(scene.gaze) * [1, flip]) < 0.05
    picture = eyes.image[0].min(axis=-1) if color else eyes.image[0]
    scale = size.width / 60
    middle = np.array([size.width - 1, size.height - 1]) / 2
    for mark in MARKS:
        expected = middle + mark * [flip, 1] * PIXELS_A_MM * scale
        reach = round(6 * scale)
        if (expected > reach).all() and (expected < 2 * middle - reach).all():
            found = spot_center(picture, expected, reach)
            assert np.linalg.norm(found - expected) < 0.2 * max(scale, 1), (mark, found, expected)


@settings(max_examples=15, deadline=None)
@given(scenes)
def test_a_mirrored_face_gives_the_same_eye(scene: Scene) -> None:
    picture = scene.draw(MARKS)
    eyes = normalized(scene, picture)
    other = normalized(scene.mirrored(), np.ascontiguousarray(picture[:, ::-1]))
    assert np.abs(eyes.image.astype(int) - other.image).max() <= 4
    assert angular_error(eyes.gaze, other.gaze).max() < 0.01
    assert angular_error(eyes.head, other.head).max() < 0.01


@settings(max_examples=15, deadline=None)
@given(scenes)
def test_a_mirrored_picture_is_normalized_to_the_mirrored_picture(scene: Scene) -> None:
    """Before eyes are brought to one orientation."""
    virtual = NormalizedCamera(960, 600, 60, 36)

    def normalize(seen: Scene, picture: np.ndarray) -> np.ndarray:
        camera = Camera(seen.matrix, seen.distortion)
        rotation = rotation_towards(seen.center, seen.head_rotation)
        return normalize_picture(picture, camera, virtual, seen.center, rotation)

    picture = scene.draw(np.array([[-7.0, 3], [4, -5], [9, 2]]))
    mirrored = normalize(scene.mirrored(), np.ascontiguousarray(picture[:, ::-1]))
    assert np.abs(normalize(scene, picture)[:, ::-1].astype(int) - mirrored).max() <= 2


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_inner_corner_is_on_the_left(side: str) -> None:
    """A spot on the nose's side of the eye: the image's left of the subject's left eye."""
    nose = np.array([[-9.0 if side == "left" else 9.0, 0.0]])
    scene = Scene(side)
    image = normalized(scene, scene.draw(nose)).image[0]
    np.testing.assert_allclose(
        spot_center(image, np.array([15, 18]), 8), [29.5 - 9 * PIXELS_A_MM, 17.5], atol=0.2
    )


def test_a_larger_picture_shows_the_same_view() -> None:
    eyes = normalized(Scene(), size=EyePicture(width=120, height=72))
    assert eyes.image.shape == (1, 72, 120)
    for mark in MARKS:
        expected = np.array([59.5, 35.5]) + mark * PIXELS_A_MM * 2
        np.testing.assert_allclose(spot_center(eyes.image[0], expected, 12), expected, atol=0.3)


def test_distortion_may_be_absent_or_have_fewer_or_more_coefficients(tmp_path: Path) -> None:
    """What a Camera.mat leaves out is zero."""
    scene = Scene(distortion=np.array([-0.16, 0.5, -0.001, 0.003, 0.0]))
    person = tmp_path / "raw" / "p00"
    write_person(person, scene, [scene.line("day01/0001.jpg")], scene.draw(MARKS))

    def image(distortion: list[float] | None) -> np.ndarray:
        values = {} if distortion is None else {"distCoeffs": distortion}
        scipy.io.savemat(person / "Calibration" / "Camera.mat", {"cameraMatrix": scene.matrix, **values})
        output = tmp_path / "eyes.h5"
        prepare(MPIIFACEGAZE, person.parent, output, EyePicture(), PrepareMPIIFaceGaze(eye="left"))
        return load_eyes(output, equalized=False).image

    five = image([*scene.distortion])
    for zeros in (-1, 3, 7, 9):
        np.testing.assert_array_equal(image([*scene.distortion, *[0.0] * zeros][: 5 + zeros]), five)
    np.testing.assert_array_equal(image(None), image([0.0] * 5))
    assert (image(None) != five).any()


def test_fine_stripes_average_out() -> None:
    """Shrunk to a third, stripes of one pixel are grey and make no pattern."""
    scene = Scene(direction=(0, 0, 0))
    stripes = np.zeros((720, 1280), np.uint8)
    stripes[:, ::2] = 255
    image = normalized(scene, stripes, focal_length=320).image[0]
    assert image.std() < 20  # unaveraged: above 60
    assert 115 < image.mean() < 140


def test_rotation() -> None:
    center = np.array([80.0, -60, 550])
    head = Rotation.from_euler("YXZ", [0.4, -0.3, 0.5]).as_matrix()
    rotation = rotation_towards(center, head)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(rotation @ center, [0, 0, np.linalg.norm(center)], atol=1e-9)
    head_x = rotation @ head[:, 0]
    assert head_x[1] == pytest.approx(0, abs=1e-12)
    assert head_x[0] > 0
    mirrored = rotation_towards(MIRROR @ center, MIRROR @ head @ MIRROR)
    np.testing.assert_allclose(mirrored, MIRROR @ rotation @ MIRROR, atol=1e-12)


def test_without_distortion_the_picture_is_the_plain_warp() -> None:
    random = np.random.default_rng(0)
    picture = cv2.GaussianBlur(random.integers(0, 256, (300, 400), dtype=np.uint8), None, 3)
    camera = Camera(np.array([[400.0, 0, 200], [0, 400, 150], [0, 0, 1]]), np.zeros(5))
    virtual = NormalizedCamera(480, 600, 60, 36)
    center = np.array([30.0, 20, 600])
    rotation = rotation_towards(center, Rotation.from_euler("YX", [0.2, 0.3]).as_matrix())
    warp = projection_matrix(virtual, center, rotation) @ np.linalg.inv(camera.matrix)
    ours = normalize_picture(picture, camera, virtual, center, rotation)
    assert np.abs(ours.astype(int) - cv2.warpPerspective(picture, warp, (60, 36))).max() <= 2
    eye = warp @ camera.matrix @ center
    np.testing.assert_allclose(eye[:2] / eye[2], [29.5, 17.5], atol=1e-9)
