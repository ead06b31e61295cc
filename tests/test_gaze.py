import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fpgan.data.gaze import angles_to_vectors, angular_error, mirror, vectors_to_angles

angles = arrays(np.float64, (5, 2), elements=st.floats(-1.5, 1.5))


@pytest.mark.parametrize(
    ("pitch", "yaw", "vector"),
    [
        (0, 0, (0, 0, -1)),  # into the camera
        (np.pi / 2, 0, (0, -1, 0)),  # up, y points down
        (0, np.pi / 2, (-1, 0, 0)),  # to the image's left
        (-np.pi / 4, -np.pi / 4, (0.5, np.sqrt(0.5), -0.5)),  # down and to the right
    ],
)
def test_convention(pitch: float, yaw: float, vector: tuple) -> None:
    np.testing.assert_allclose(angles_to_vectors(np.array([pitch, yaw])), vector, atol=1e-12)


@given(angles, st.floats(0.01, 1000))
def test_angles_survive_a_vector_of_any_length(angles: np.ndarray, length: float) -> None:
    vectors = angles_to_vectors(angles)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1)
    np.testing.assert_allclose(vectors_to_angles(length * vectors), angles, atol=1e-7)


def test_float32_stays_float32() -> None:
    angles = np.zeros((3, 2), np.float32)
    assert angles_to_vectors(angles).dtype == np.float32
    assert vectors_to_angles(angles_to_vectors(angles)).dtype == np.float32
    assert mirror(angles).dtype == np.float32


@given(angles, angles)
def test_error_is_the_angle_between_the_vectors(a: np.ndarray, b: np.ndarray) -> None:
    dot = (angles_to_vectors(a) * angles_to_vectors(b)).sum(axis=-1)
    expected = np.degrees(np.arccos(np.clip(dot, -1, 1)))
    np.testing.assert_allclose(angular_error(a, b), expected, atol=1e-5)
    np.testing.assert_array_equal(angular_error(a, b), angular_error(b, a))
    np.testing.assert_array_equal(angular_error(a, a), 0)


@pytest.mark.parametrize("degrees", [1e-6, 0.01, 1, 60, 90, 179.9999, 180])
def test_error_keeps_its_precision(degrees: float) -> None:
    turned = np.array([0.0, np.radians(degrees)])
    assert angular_error(np.zeros(2), turned) == pytest.approx(degrees, rel=1e-9)


def test_yaw_matters_less_when_looking_up() -> None:
    """Angles are not errors: near the pole a large yaw is a small turn."""
    up = np.array([[1.5, 0.0], [1.5, 1.0]])
    assert angular_error(up[0], up[1]) < 5


@given(angles, angles)
def test_mirror_flips_x_and_keeps_errors(a: np.ndarray, b: np.ndarray) -> None:
    flipped = angles_to_vectors(a) * [-1, 1, 1]
    np.testing.assert_allclose(angles_to_vectors(mirror(a)), flipped, atol=1e-12)
    np.testing.assert_allclose(angular_error(mirror(a), mirror(b)), angular_error(a, b), atol=1e-9)
    np.testing.assert_array_equal(mirror(mirror(a)), a)
