from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from fpgan.data.eye_set import BUFFERED_EYES, load_eyes, new_eye_set, open_eyes, save_eyes
from fpgan.data.eyes import Eye, Eyes, equalize
from fpgan.errors import InputError


def random_eyes(count: int, *, color: bool = False, seed: int = 0) -> Eyes:
    random = np.random.default_rng(seed)
    return Eyes(
        random.integers(40, 120, (count, 36, 60, 3)[: 4 if color else 3], dtype=np.uint8),
        random.normal(0, 0.3, (count, 2)).astype(np.float32),
        random.normal(0, 0.3, (count, 2)).astype(np.float32),
        random.uniform(0, 60, (count, 18, 2)).astype(np.float32),
        np.array(["p00"] * (count // 2) + ["p01"] * (count - count // 2)),
    )


def assert_same(a: Eyes, b: Eyes) -> None:
    for name in ("image", "gaze", "head", "landmarks", "person"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("count", [1, 7, 2 * BUFFERED_EYES, 2 * BUFFERED_EYES + 3])
def test_round_trip(tmp_path: Path, color: bool, count: int) -> None:
    eyes = random_eyes(count, color=color)
    save_eyes(tmp_path / "eyes.h5", eyes, equalized=False)
    assert_same(load_eyes(tmp_path / "eyes.h5", equalized=False), eyes)
    assert_same(load_eyes(tmp_path / "eyes.h5"), eyes.with_images(equalize(eyes.image)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eyes.h5"]


def test_equalized_pictures_are_not_equalized_again(tmp_path: Path) -> None:
    eyes = random_eyes(4)
    save_eyes(tmp_path / "eyes.h5", eyes, equalized=True)
    assert_same(load_eyes(tmp_path / "eyes.h5"), eyes)


def test_unknown_labels(tmp_path: Path) -> None:
    path = tmp_path / "eyes.h5"
    image = np.zeros((36, 60), np.uint8)
    with new_eye_set(path) as writer:
        writer.append(Eye("b", image, gaze=np.array([0.1, 0.2])))
        writer.append(Eye("a", image, head=np.array([0.3, 0.4])))
        writer.append(Eye("b", image, landmarks=np.ones((18, 2))))
        assert writer.counts == {"b": 2, "a": 1}
    eyes = load_eyes(path)
    assert eyes.person.tolist() == ["a", "b", "b"]
    assert eyes.has_gaze.tolist() == [False, True, False]
    assert eyes.has_landmarks.tolist() == [False, False, True]
    np.testing.assert_array_equal(eyes.head[0], np.float32([0.3, 0.4]))
    assert np.isnan(eyes.head[1:]).all()


def test_only_named_labels_are_written(tmp_path: Path) -> None:
    with new_eye_set(tmp_path / "eyes.h5", labels=["head"]) as writer:
        writer.append(Eye("p00", np.zeros((36, 60), np.uint8), np.array([0.1, 0.2]), np.array([0.3, 0.4])))
    with h5py.File(tmp_path / "eyes.h5") as file:
        assert set(file["p00"]) == {"image", "head"}


def test_a_broken_off_set_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "eyes.h5"
    save_eyes(path, random_eyes(3), equalized=False)
    before = path.read_bytes()

    def break_off() -> None:
        with new_eye_set(path) as writer:
            writer.append(Eye("p00", np.zeros((36, 60), np.uint8)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_select_keeps_rows_together() -> None:
    eyes = random_eyes(10)
    chosen = eyes.select(np.array([7, 2]))
    assert len(chosen) == 2
    np.testing.assert_array_equal(chosen.image[0], eyes.image[7])
    np.testing.assert_array_equal(chosen.landmarks[1], eyes.landmarks[2])
    assert chosen.person.tolist() == ["p01", "p00"]


def test_equalize_spreads_grey_and_keeps_hue() -> None:
    grey = random_eyes(3).image
    np.testing.assert_array_equal(equalize(grey)[1], cv2.equalizeHist(grey[1]))
    color = np.stack([grey // 2, grey // 2, grey], axis=-1)
    spread = equalize(color).astype(int)
    luma = np.array([cv2.cvtColor(picture.astype(np.uint8), cv2.COLOR_RGB2GRAY) for picture in spread])
    assert np.ptp(luma) > np.ptp(grey)
    assert (spread[..., 2] >= spread[..., 0]).mean() > 0.99


def _image(shape: tuple = (4, 36, 60), dtype: type = np.uint8) -> np.ndarray:
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("datasets", "message"),
    [
        ({}, "no groups"),
        ({"image": _image()}, "no groups"),
        ({"p00/gaze": np.zeros((4, 2))}, "no dataset 'image'"),
        ({"p00/image": _image(dtype=np.float32)}, "expected uint8"),
        ({"p00/image": _image((4, 36, 60, 4))}, "expected uint8"),
        ({"p00/image": _image((4, 2160))}, "expected uint8"),
        ({"p00/image": _image(), "p01/image": _image((4, 72, 120))}, "'p01'"),
        ({"p00/image": _image(), "p00/gaze": np.zeros((4, 3))}, "'gaze' has shape"),
        ({"p00/image": _image(), "p00/gaze": np.zeros((3, 2))}, "3 rows of 'gaze'"),
        ({"p00/image": _image(), "p00/head": np.zeros((4, 2), "S4")}, "'head' is not"),
        ({"p00/image": _image(), "p00/landmarks": np.zeros((4, 17, 2))}, "'landmarks' has shape"),
        ({"p00/image": _image(), "p00/gaze/x": np.zeros(2)}, "'gaze' is not a dataset"),
        ({"p00/image": _image((0, 36, 60))}, "no eyes"),
    ],
)
def test_wrong_layouts(tmp_path: Path, datasets: dict, message: str) -> None:
    path = tmp_path / "eyes.h5"
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            file[name] = data
    with pytest.raises(InputError, match=message) as error:
        load_eyes(path)
    assert "eyes.h5" in str(error.value)


def test_things_beside_the_groups_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "eyes.h5"
    save_eyes(path, random_eyes(4), equalized=False)
    with h5py.File(path, "a") as file:
        file["note"] = "made by hand"
        file["p00/more"] = "by hand too"
    assert_same(load_eyes(path, equalized=False), random_eyes(4))


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_not_hdf5(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "eyes.h5").write_bytes(content)
    with pytest.raises(InputError, match="not a readable HDF5 file"), open_eyes(tmp_path / "eyes.h5"):
        pass


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_eyes(tmp_path / "eyes.h5")
