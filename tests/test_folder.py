import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fpgan.data.eye_set import save_eyes
from fpgan.data.eyes import Eyes
from fpgan.deployment.eye_folder import write_folder
from fpgan.errors import InputError


def random_eyes(*, color: bool, count: int = 300) -> Eyes:
    random = np.random.default_rng(0)
    shape = (count, 36, 60, 3) if color else (count, 36, 60)
    landmarks = random.uniform(0, 60, (count, 18, 2)).astype(np.float32)
    landmarks[5] = np.nan
    gaze = random.normal(size=(count, 2)).astype(np.float32)
    gaze[7] = np.nan
    head = random.normal(size=(count, 2)).astype(np.float32)
    person = np.array(["p00"] * 20 + ["p01"] * (count - 20))
    return Eyes(random.integers(0, 256, shape).astype(np.uint8), gaze, head, landmarks, person)


@pytest.mark.parametrize("color", [False, True])
def test_png_folder_keeps_every_pixel_and_label(tmp_path: Path, color: bool) -> None:
    eyes = random_eyes(color=color)
    save_eyes(tmp_path / "eyes.h5", eyes, equalized=True)
    assert write_folder(tmp_path / "eyes.h5", tmp_path / "out") == len(eyes)
    assert len(list((tmp_path / "out").iterdir())) == 2 * len(eyes)
    for row in range(len(eyes)):
        picture = cv2.imread(str(tmp_path / "out" / f"{row + 1}.png"), cv2.IMREAD_UNCHANGED)
        stored = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if color else picture
        np.testing.assert_array_equal(stored, eyes.image[row])
        labels = json.loads((tmp_path / "out" / f"{row + 1}.json").read_text())
        assert labels.pop("person") == eyes.person[row]
        expected = {
            name: getattr(eyes, name)[row]
            for name in ("gaze", "head", "landmarks")
            if np.isfinite(getattr(eyes, name)[row]).all()
        }
        assert labels.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(np.array(labels[name], np.float32), value)


def test_jpeg_folder_shows_the_same_eyes(tmp_path: Path) -> None:
    eyes = random_eyes(color=False, count=20)
    smooth = np.stack([cv2.GaussianBlur(picture, (0, 0), 4) for picture in eyes.image])
    save_eyes(tmp_path / "eyes.h5", eyes.with_images(smooth), equalized=False)
    write_folder(tmp_path / "eyes.h5", tmp_path / "out", pictures="jpg")
    picture = cv2.imread(str(tmp_path / "out" / "20.jpg"), cv2.IMREAD_UNCHANGED)
    assert np.abs(picture.astype(int) - smooth[19]).max() < 8


def test_a_folder_with_anything_in_it_is_left_alone(tmp_path: Path) -> None:
    save_eyes(tmp_path / "eyes.h5", random_eyes(color=False, count=20), equalized=False)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"):
        write_folder(tmp_path / "eyes.h5", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_an_interrupted_export_leaves_nothing(tmp_path: Path) -> None:
    save_eyes(tmp_path / "eyes.h5", random_eyes(color=False, count=20), equalized=False)

    def interrupt(done: int, total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "eyes.h5", tmp_path / "out", progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["eyes.h5"]
