"""The reports of `fpgan inspect` and `fpgan fit-crop` on good data, and on data broken on purpose."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from test_cli import run

from fpgan.commands.fit_crop import fit_crop
from fpgan.commands.inspect import inspect, look
from fpgan.data.datasets import prepare
from fpgan.data.eye_set import load_eyes, save_eyes
from fpgan.data.eyes import Eyes
from fpgan.data.gaze import mirror
from fpgan.data.mpiifacegaze import MPIIFACEGAZE
from fpgan.data.unityeyes import UNITYEYES
from fpgan.errors import InputError
from fpgan.inspection.findings import angle_problems, gaze_problems, landmark_problems
from fpgan.inspection.framing import Framing, Irises, compare, find_irises, grey_pictures, measure_framing
from fpgan.inspection.inspection_report import compare_in_words
from fpgan.inspection.survey import survey
from fpgan.params import EyePicture, Params, PrepareMPIIFaceGaze, PrepareUnityEyes


@pytest.fixture(scope="module")
def prepared(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("prepared")
    paths = {"synthetic": folder / "s.h5", "real": folder / "r.h5"}
    prepare(
        UNITYEYES, rendered / "UnityEyes", paths["synthetic"], EyePicture(), PrepareUnityEyes(), workers=1
    )
    prepare(
        MPIIFACEGAZE, rendered / "MPIIFaceGaze", paths["real"], EyePicture(), PrepareMPIIFaceGaze(), workers=1
    )
    return paths


@pytest.fixture(scope="module")
def eyes(prepared: dict[str, Path]) -> dict[str, Eyes]:
    return {name: load_eyes(path) for name, path in prepared.items()}


IRISES: dict[bytes, Irises] = {}  # found once, however the labels are broken


def said(eyes: Eyes) -> str:
    """All that is said about the labels of eyes."""
    key = eyes.image.tobytes()
    irises = IRISES[key] = IRISES.get(key) or find_irises(grey_pictures(eyes.image))
    return " ".join(
        [
            *angle_problems(eyes.gaze, "gaze"),
            *angle_problems(eyes.head, "head"),
            *gaze_problems(eyes.gaze, irises),
            *landmark_problems(eyes, irises),
        ]
    )


def turned(eyes: Eyes, pitch: float, yaw: float) -> Eyes:
    return replace(eyes, gaze=eyes.gaze * np.array([pitch, yaw], np.float32))


def flipped_pictures(eyes: Eyes) -> Eyes:
    return eyes.with_images(np.ascontiguousarray(eyes.image[:, :, ::-1]))


def other_orientation(eyes: Eyes) -> Eyes:
    """Everything consistently mirrored: the inner corner on the right."""
    landmarks = np.stack([59 - eyes.landmarks[..., 0], eyes.landmarks[..., 1]], axis=-1)
    return replace(
        flipped_pictures(eyes), gaze=mirror(eyes.gaze), head=mirror(eyes.head), landmarks=landmarks
    )


def shuffled(eyes: Eyes) -> Eyes:
    return replace(eyes, gaze=np.random.default_rng(0).permutation(eyes.gaze))


MISTAKES: dict[str, tuple[Callable[[Eyes], Eyes], str]] = {
    "yaw turned": (lambda e: turned(e, 1, -1), "Gaze yaw and iris position disagree"),
    "pitch turned": (lambda e: turned(e, -1, 1), "Gaze pitch and iris height disagree"),
    "swapped": (lambda e: replace(e, gaze=e.gaze[:, ::-1].copy()), "pitch and yaw look swapped"),
    "pictures mirrored": (flipped_pictures, "Gaze yaw and iris position disagree"),
    "shuffled": (shuffled, "do not follow the gaze labels"),
    "gaze in degrees": (lambda e: replace(e, gaze=np.degrees(e.gaze)), "gaze labels reach"),
    "head in degrees": (lambda e: replace(e, head=np.degrees(e.head)), "head labels reach"),
    "degrees to radians twice": (lambda e: replace(e, gaze=np.radians(e.gaze)), "turned from degrees"),
    "constant": (lambda e: replace(e, gaze=np.zeros_like(e.gaze)), "gaze labels are constant"),
}
LANDMARK_MISTAKES: dict[str, tuple[Callable[[Eyes], Eyes], str]] = {
    "pictures mirrored": (flipped_pictures, "go left where irises go right"),
    "other orientation": (other_orientation, "inner corner seems to be on the right"),
    "shares": (lambda e: replace(e, landmarks=e.landmarks / [60, 36]), "shares of the picture"),
    "upside down": (
        lambda e: replace(e, landmarks=e.landmarks * [1, -1] + np.array([0, 35])),
        "upside down",
    ),
    "beside": (lambda e: replace(e, landmarks=e.landmarks + np.array([8, 0])), "beside the eyes"),
    "outside": (lambda e: replace(e, landmarks=e.landmarks * 10), "outside the 60 x 36 pictures"),
}


@pytest.mark.parametrize("name", ["synthetic", "real"])
def test_nothing_is_said_about_good_sets(eyes: dict[str, Eyes], name: str) -> None:
    assert said(eyes[name]) == ""


@pytest.mark.parametrize("name", ["synthetic", "real"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_names_mistakes_in_the_labels(eyes: dict[str, Eyes], name: str, mistake: str) -> None:
    make, words = MISTAKES[mistake]
    assert words in said(make(eyes[name]))


@pytest.mark.parametrize("mistake", LANDMARK_MISTAKES)
def test_names_mistakes_in_the_landmarks(eyes: dict[str, Eyes], mistake: str) -> None:
    make, words = LANDMARK_MISTAKES[mistake]
    assert words in said(make(eyes["synthetic"]))


def test_compares_in_words(eyes: dict[str, Eyes]) -> None:
    def words(framing: Framing, other: Framing) -> str:
        return " ".join(compare_in_words(framing, other, compare(framing, other)))

    own = measure_framing(eyes["synthetic"])
    larger = replace(own, iris_radius=own.iris_radius * 1.2)
    assert "Eyes of A are 20% larger" in words(larger, own)
    assert "equally large" in words(own, own)
    assert "Irises sit alike sideways" in words(own, own)
    right = replace(own, iris_center=own.iris_center + np.array([3, 0]))
    assert "3.0 pixels further right" in words(right, own)
    assert "3.0 pixels further left" in words(own, right)
    mirrored = replace(own, centered_eye=own.centered_eye[:, ::-1])
    assert "mirrored" in words(mirrored, own)
    assert "same side" in words(own, own)


@pytest.fixture
def broken_folder(rendered: Path, tmp_path: Path) -> Path:
    """A UnityEyes folder of 40 pictures: no record, no picture, cut off, twice: one each."""
    folder = tmp_path / "broken"
    (folder / "imgs").mkdir(parents=True)
    for number in range(1, 41):
        for end in (".jpg", ".json"):
            shutil.copy(rendered / "UnityEyes" / "imgs" / f"{number}{end}", folder / "imgs")
    (folder / "imgs" / "3.json").unlink()
    (folder / "imgs" / "5.jpg").unlink()
    cut = folder / "imgs" / "7.jpg"
    cut.write_bytes(cut.read_bytes()[:2000])
    for end in (".jpg", ".json"):
        shutil.copy(folder / "imgs" / f"9{end}", folder / "imgs" / f"50{end}")
    return folder


def test_the_command_reports_a_broken_folder_and_writes_its_files(
    broken_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "params.yaml").write_text("{}")
    ended = run("inspect", "broken", "--out", "seen", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "41 pictures of 1 person" in ended.stdout
    assert "2 files are missing: 3.json, 5.jpg" in ended.stdout
    assert "3 of 41 samples read are broken" in ended.stdout
    assert "imgs/7.jpg: is cut off" in ended.stdout
    assert "1 of 38 eyes repeat an earlier picture" in ended.stdout
    assert "seen/eyes.png" in ended.stdout
    record = json.loads((tmp_path / "seen" / "inspection.json").read_text())
    assert record["missing"] == ["3.json", "5.jpg"]
    assert record["eyes"]["duplicates"] == 1
    assert len(record["broken"]) == 3
    assert record["degrees"]["gaze yaw"]["sd"] == pytest.approx(17, abs=5)
    shown = cv2.imread(str(tmp_path / "seen" / "eyes.png"))
    assert shown is not None
    assert shown.std() > 20


def test_compares_two_sets(prepared: dict[str, Path], tmp_path: Path) -> None:
    shown = inspect(prepared["real"], prepared["synthetic"], Params(), tmp_path / "out")
    assert "96 eyes of 4 persons" in shown
    assert "A against B" in shown
    assert "same side" in shown
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"eyes.png", "other_eyes.png", "comparison.png", "inspection.json"}


def test_what_is_no_data_set_ends_with_code_2(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("{}")
    ended = run("inspect", ".", folder=tmp_path)
    assert ended.returncode == 2
    assert "not a data set; expected a UnityEyes folder" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_says_what_cannot_be_surveyed(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no eyes")
    (tmp_path / "all_bad" / "imgs").mkdir(parents=True)
    (tmp_path / "all_bad" / "imgs" / "1.json").write_text("{}")
    for name, expected in (
        ("nowhere", "no such file or folder"),
        ("text.h5", "not a readable HDF5 file"),
        ("all_bad", "imgs/1.json: has no 'interior_margin_2d'"),
    ):
        with pytest.raises(InputError, match=expected):
            survey(tmp_path / name, Params())


def test_a_picture_that_is_named_and_absent_is_missing(rendered: Path, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    shutil.copytree(rendered / "MPIIFaceGaze" / "p00", folder / "p00")
    (folder / "p00" / "day01" / "0001.jpg").unlink()
    found = survey(folder, Params())
    assert found.missing == ["p00/day01/0001.jpg"]
    assert found.counts == {"p00": 12}
    assert found.raw_sizes == {"1280 x 720": 11}
    assert len(found.bad) == 1
    assert found.eyes_read == 22


def test_a_survey_is_of_all_angles_whatever_preparation_leaves_out(rendered: Path) -> None:
    narrow = Params(prepare_unityeyes=PrepareUnityEyes(gaze_yaw=(-1.0, 1.0)))
    found = survey(rendered / "UnityEyes", narrow)
    assert len(found.labels["gaze"]) == found.read


def test_counts_flat_and_repeated_pictures_of_any_set(tmp_path: Path) -> None:
    path = tmp_path / "odd.h5"
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (30, 20, 50, 3), np.uint8)
    pictures[:5] = 0
    pictures[5] = 130
    pictures[6] = pictures[7]
    with h5py.File(path, "w") as file:
        file["someone/image"] = pictures
        file["nobody/image"] = pictures[:0]
    looked = look(path, Params())
    assert looked.survey.flat == 6
    assert looked.survey.duplicates == 4 + 1
    assert any("20% of the pictures are black" in problem for problem in looked.problems)


def test_inspects_a_single_eye(eyes: dict[str, Eyes], tmp_path: Path) -> None:
    path = tmp_path / "one.h5"
    save_eyes(path, eyes["synthetic"].select(slice(1)), equalized=True)
    shown = inspect(path, path, Params(), tmp_path / "out")
    assert "Signs cannot be checked" in shown
    assert (tmp_path / "out" / "comparison.png").is_file()


def test_fits_the_crop(
    rendered: Path, eyes: dict[str, Eyes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the same eyes cropped otherwise, and, as geometry says, to people seen by the sample's webcams."""
    monkeypatch.chdir(tmp_path)
    known = PrepareUnityEyes(crop_width=1.6, crop_shift=(0.07, 0))
    prepare(UNITYEYES, rendered / "UnityEyes", Path("known.h5"), EyePicture(), known, workers=1)
    for real, width, accuracy in ((Path("known.h5"), 1.6, 0.04), (rendered / "MPIIFaceGaze", 1.38, 0.08)):
        params = Params.model_validate({"data": {"unityeyes": rendered / "UnityEyes", "mpiifacegaze": real}})
        shown = fit_crop(params)
        fit = json.loads(Path("results/fit-crop/fit.json").read_text())
        assert fit["crop_width"] == pytest.approx(width, rel=accuracy)
        assert f"crop_width: {fit['crop_width']:g}" in shown
        if real.suffix:
            assert fit["crop_shift"] == pytest.approx([0.07, 0], abs=0.02)
        assert Path("results/fit-crop/comparison.png").is_file()


def test_only_raw_pictures_can_be_cropped(prepared: dict[str, Path]) -> None:
    params = Params.model_validate({"data": {"unityeyes": prepared["synthetic"]}})
    with pytest.raises(InputError, match="only a UnityEyes folder can be cropped"):
        fit_crop(params)


def test_the_crops_shift_moves_eyes_the_other_way(
    rendered: Path, tmp_path: Path, eyes: dict[str, Eyes]
) -> None:
    params = PrepareUnityEyes(crop_shift=(0.1, -0.05))
    prepare(UNITYEYES, rendered / "UnityEyes", tmp_path / "eyes.h5", EyePicture(), params, workers=1)
    moved = load_eyes(tmp_path / "eyes.h5").landmarks - eyes["synthetic"].landmarks
    eye_width = 60 / params.crop_width
    np.testing.assert_allclose(
        moved, np.broadcast_to([-0.1 * eye_width, 0.05 * eye_width], moved.shape), atol=0.01
    )
