import json
import os
import signal
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import scipy.io
from scenes import Scene, UnityEye, spot_center, spots, write_person

from fpgan.data.datasets import DATA_SETS, prepare, recognize
from fpgan.data.entry import Contents, DataSet, Samples
from fpgan.data.eye_set import load_eyes
from fpgan.data.eyes import Eye, Eyes
from fpgan.data.hdf5_eyes import HDF5
from fpgan.data.mpiifacegaze import MPIIFACEGAZE
from fpgan.data.preparation_report import BadSample, Report, SampleError
from fpgan.data.preview import SHOWN_EYES, Preview
from fpgan.data.unityeyes import UNITYEYES
from fpgan.domains import Domain
from fpgan.errors import InputError
from fpgan.inspection.survey import survey
from fpgan.params import EyePicture, Params, PrepareMPIIFaceGaze, PrepareUnityEyes

SMALL = Scene(  # a small picture, quick to write
    matrix=np.array([[250.0, 0, 160], [0, 250, 90], [0, 0, 1]]), direction=(0, 0, 0.1), size=(320, 180)
)
SMALL_UNITY = UnityEye((160, 120), (65, 62), (95, 61), (82.8, 60.5), 4.5)
LENIENT_UNITY = PrepareUnityEyes(max_bad_fraction=0.95)
LENIENT_MPII = PrepareMPIIFaceGaze(max_bad_fraction=0.95)


def unity(
    source: Path, params: PrepareUnityEyes | None = None, size: EyePicture | None = None, **options: int
) -> tuple[Report, Eyes]:
    output = source.parent / "eyes.h5"
    report = prepare(UNITYEYES, source, output, size or EyePicture(), params or PrepareUnityEyes(), **options)
    return report, load_eyes(output, equalized=False)


def mpii(source: Path, params: PrepareMPIIFaceGaze | None = None, **options: int) -> tuple[Report, Eyes]:
    output = source.parent / "eyes.h5"
    report = prepare(MPIIFACEGAZE, source, output, EyePicture(), params or PrepareMPIIFaceGaze(), **options)
    return report, load_eyes(output, equalized=False)


def reasons(report: Report) -> dict[tuple[str, int | None], str]:
    return {(bad.file, bad.line): bad.reason for bad in report.bad}


# UnityEyes


@pytest.mark.parametrize("layout", ["imgs", "."])
@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize(
    ("size", "enlarged"), [((640, 480), 1), ((639, 477), 1), ((800, 600), 1.3), ((2001, 1501), 3.1)]
)
def test_unity_landmarks_sit_on_the_drawn_iris(
    tmp_path: Path, layout: str, color: bool, size: tuple[int, int], enlarged: float
) -> None:
    """Through every reduction while decoding, at any picture size: within a tenth of a pixel."""
    shown = EyePicture(width=60, height=36, color=color)
    for i, at in enumerate([(0.0, 0.0), (0.37, -0.21), (-12.6, 5.5)]):
        iris = (size[0] / 2 + at[0], size[1] / 2 + at[1])
        inner, outer = (iris[0] - 58 * enlarged, iris[1] + 4), (iris[0] + 55 * enlarged, iris[1] - 3)
        UnityEye(size, inner, outer, iris, 18 * enlarged).write(tmp_path / "raw" / layout, str(i))
    report, eyes = unity(tmp_path / "raw", size=shown)
    assert report.counts == {"unityeyes": 3}
    assert not report.bad
    assert eyes.image.shape == (3, 36, 60, 3) if color else (3, 36, 60)
    for image, landmarks in zip(eyes.image, eyes.landmarks, strict=True):
        grey = image[..., 1] if color else image
        assert np.linalg.norm(spot_center(grey, landmarks[16], 13) - landmarks[16]) < 0.1


@pytest.mark.parametrize("width", [1.13, 1.3, 2.0])
def test_unity_crop_between_the_corners(tmp_path: Path, width: float) -> None:
    eye = UnityEye(inner=(260, 250), outer=(380, 250))
    eye.write(tmp_path / "raw", "1")
    _, eyes = unity(tmp_path / "raw", PrepareUnityEyes(crop_width=width))
    landmarks = eyes.landmarks[0]
    scale = 60 / (width * 120)
    np.testing.assert_allclose(landmarks[4], [29.5 + 60 * scale, 17.5], atol=1e-3)  # the outer corner
    np.testing.assert_allclose(landmarks[0], [29.5 - 54 * scale, 17.5], atol=1e-3)  # margin: 6 px inside
    np.testing.assert_allclose(
        landmarks[17], [29.5 + (319.5 - 320) * scale, 17.5 + (239.5 - 250) * scale], atol=1e-3
    )
    np.testing.assert_allclose(np.linalg.norm(landmarks[8:16] - landmarks[16], axis=1), 18 * scale, atol=1e-3)
    np.testing.assert_allclose(landmarks[8] - landmarks[16], [18 * scale, 0], atol=1e-3)  # in their order
    np.testing.assert_allclose(landmarks[10] - landmarks[16], [0, 18 * scale], atol=1e-3)
    assert landmarks[2, 1] < 17.5 < landmarks[6, 1]  # the upper lid above the lower


def test_unity_reference_crop(tmp_path: Path) -> None:
    eye = UnityEye(inner=(260, 250), outer=(380, 250))
    eye.write(tmp_path / "raw", "1")
    _, eyes = unity(tmp_path / "raw", PrepareUnityEyes(crop="reference", crop_width=1.5))
    # Mean caruncle point: (264, 251); margin from 266 to 380, level at 250.
    scale = 60 / (1.5 * np.hypot(380 - 264, 1))
    np.testing.assert_allclose(eyes.landmarks[0, 4], [29.5 + (380 - 323) * scale, 17.5], atol=1e-3)
    np.testing.assert_allclose(
        eyes.landmarks[0, 16],
        29.5 * np.array([1, 0]) + [0, 17.5] + (np.array(eye.iris) - [323, 250]) * scale,
        atol=1e-3,
    )


@pytest.mark.parametrize(
    ("look", "gaze"),
    [
        ((0, 0, -1), (0, 0)),
        ((-0.5, 0, -0.8660), (0, 30)),  # to the image's left
        ((0, 0.5, -0.8660), (30, 0)),  # up
        ((0.2962, -0.5, -0.8138), (-30, -20)),
    ],
)
def test_unity_gaze(tmp_path: Path, look: tuple, gaze: tuple) -> None:
    UnityEye(look=look).write(tmp_path / "raw", "1")
    np.testing.assert_allclose(np.degrees(unity(tmp_path / "raw")[1].gaze[0]), gaze, atol=0.02)


@pytest.mark.parametrize(
    ("stored", "head"),
    [((0, 180), (0, 0)), ((355, 204), (5, -24)), ((12.5, 160), (-12.5, 20)), ((-5, -160), (5, -20))],
)
def test_unity_head(tmp_path: Path, stored: tuple, head: tuple) -> None:
    UnityEye(head=stored).write(tmp_path / "raw", "1")
    np.testing.assert_allclose(np.degrees(unity(tmp_path / "raw")[1].head[0]), head, atol=1e-4)


def test_unity_fine_stripes_average_out(tmp_path: Path) -> None:
    stripes = np.zeros((480, 640), np.uint8)
    stripes[:, ::2] = 255
    UnityEye(inner=(200, 240), outer=(440, 240), iris=(320, 240)).write(tmp_path / "raw", "1", stripes)
    image = unity(tmp_path / "raw")[1].image[0]
    assert image.std() < 3
    assert image.mean() == pytest.approx(127.5, abs=4)


def look(pitch: float, yaw: float) -> tuple[float, float, float]:
    """A record's look_vec, y up, of a gaze in degrees."""
    pitch, yaw = np.radians([pitch, yaw])
    return (-np.cos(pitch) * np.sin(yaw), np.sin(pitch), -np.cos(pitch) * np.cos(yaw))


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"gaze_pitch": (-40, 11)}, [0, 2, 3, 4]),
        ({"gaze_yaw": (-25, 40)}, [0, 1, 3, 4]),
        ({"head_pitch": (-20, 20)}, [0, 1, 2, 4]),
        ({"head_yaw": (5, 20)}, [4]),
        ({"head_yaw": (-20, 20), "gaze_yaw": (0, 40)}, [0, 1, 3, 4]),
    ],
)
def test_unity_eyes_outside_the_ranges_are_left_out(
    tmp_path: Path, wanted: dict[str, tuple[float, float]], kept: list[int]
) -> None:
    """Gaze and head pose (pitch, yaw) in degrees, as the prepared labels count them."""
    poses = [((0, 0), (0, 0)), ((20, 0), (0, 0)), ((0, -30), (0, 0)), ((0, 0), (30, 0)), ((0, 0), (0, 15))]
    for i, (gaze, (pitch, yaw)) in enumerate(poses):
        replace(SMALL_UNITY, look=look(*gaze), head=(-pitch % 360, 180 - yaw)).write(tmp_path / "raw", str(i))
    whole = unity(tmp_path / "raw")[1]
    np.testing.assert_allclose(np.degrees(whole.gaze), [gaze for gaze, _ in poses], atol=0.01)
    np.testing.assert_allclose(np.degrees(whole.head), [head for _, head in poses], atol=0.01)
    report, eyes = unity(tmp_path / "raw", PrepareUnityEyes(**wanted))  # type: ignore[arg-type]
    np.testing.assert_array_equal(eyes.image, whole.image[kept])
    np.testing.assert_array_equal(eyes.gaze, whole.gaze[kept])
    left_out = 5 - len(kept)
    assert (report.samples, report.eyes, report.outside, report.bad) == (5, len(kept), left_out, [])
    assert (f"left out: {left_out} outside the gaze or head range" in report.summary()) == (left_out > 0)
    assert json.loads(report.to_json())["outside"] == left_out


def test_a_unity_eye_outside_the_range_is_not_decoded_and_not_bad(tmp_path: Path) -> None:
    SMALL_UNITY.write(tmp_path / "raw", "1")
    replace(SMALL_UNITY, look=look(30, 0)).write(tmp_path / "raw", "2")
    (tmp_path / "raw" / "2.jpg").write_bytes(b"not a picture")
    params = PrepareUnityEyes(gaze_pitch=(-15, 15), max_bad_fraction=0)
    report, eyes = unity(tmp_path / "raw", params)
    assert (len(eyes), report.outside, report.bad) == (1, 1, [])
    with pytest.raises(InputError, match="holds no eyes: 2 samples are outside the gaze or head range"):
        unity(tmp_path / "raw", PrepareUnityEyes(gaze_yaw=(-90, -80)))


def test_unity_rows_follow_the_numbers(tmp_path: Path) -> None:
    for number in (1, 2, 10, 9):
        replace(SMALL_UNITY, head=(number, 180)).write(tmp_path / "raw" / "imgs", str(number))
    _, eyes = unity(tmp_path / "raw")
    np.testing.assert_allclose(-np.degrees(eyes.head[:, 0]), [1, 2, 9, 10], atol=1e-4)


def _edit(**changes: object) -> Callable[[Path], None]:
    def change(stem: Path) -> None:
        record = json.loads(stem.with_suffix(".json").read_text())
        stem.with_suffix(".json").write_text(json.dumps({**record, **changes}))

    return change


def _without(key: str) -> Callable[[Path], None]:
    def change(stem: Path) -> None:
        record = json.loads(stem.with_suffix(".json").read_text())
        del record[key]
        stem.with_suffix(".json").write_text(json.dumps(record))

    return change


def _json(content: bytes) -> Callable[[Path], object]:
    return lambda stem: stem.with_suffix(".json").write_bytes(content)


def _jpeg(edit: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda stem: stem.with_suffix(".jpg").write_bytes(edit(stem.with_suffix(".jpg").read_bytes()))


def _to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link_outside(suffix: str) -> Callable[[Path], None]:
    def link(stem: Path) -> None:
        path = stem.with_suffix(suffix)
        outside = stem.parent.parent.parent / f"outside{suffix}"
        outside.write_bytes(path.read_bytes())
        path.unlink()
        path.symlink_to(outside)

    return link


def _claim(width: int, height: int) -> Callable[[bytes], bytes]:
    """Other numbers in a JPEG's frame header."""

    def change(data: bytes) -> bytes:
        at = data.index(b"\xff\xc0") + 5
        return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]

    return change


def _hide_header(data: bytes) -> bytes:
    """The frame header of a huge picture, behind a marker without a length, and one of a small picture."""
    small = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 120, 160) + bytes(10)
    huge = _claim(30_000, 30_000)(data)
    return huge[:2] + b"\xff\x01\xff\xe0" + struct.pack(">H", len(small) + 2) + small + huge[2:]


def _many_scans(data: bytes) -> bytes:
    """A progressive JPEG that says the same over and over: small to store, long to decode."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    progressive = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    at = progressive.rindex(b"\xff\xda")
    return progressive[:-2] + progressive[at:-2] * 300 + progressive[-2:]


LOOK = {"look_vec": "(0.1, 0.1, -0.98, 0)"}
BROKEN_UNITY: list[tuple[str, Callable[[Path], object], str, int | None, str]] = [
    ("no json", lambda stem: stem.with_suffix(".json").unlink(), ".json", None, "no such file"),
    ("no jpg", lambda stem: stem.with_suffix(".jpg").unlink(), ".jpg", None, "no such file"),
    ("empty json", _json(b""), ".json", 1, "not valid JSON"),
    ("cut json", _json(b'{\n "a": 1,\n "b"'), ".json", 3, "not valid JSON"),
    ("binary json", _json(b"\xff\xfe\x00"), ".json", None, "decode"),
    ("deep json", _json(b"[" * 100_000), ".json", None, "nested too deeply"),
    ("list json", _json(b"[]"), ".json", None, "has no 'interior_margin_2d'"),
    ("no iris", _edit(iris_2d=[]), ".json", None, "'iris_2d' is not a list"),
    ("iris text", _edit(iris_2d="(1, 2, 3)"), ".json", None, "'iris_2d' is not a list"),
    ("four", _edit(iris_2d=["(1.0, 2.0, 3.0, 4.0)"] * 32), ".json", None, "is not a vector"),
    ("no details", _without("eye_details"), ".json", None, "has no 'eye_details'"),
    ("number", _edit(head_pose=3), ".json", None, "'head_pose'"),
    ("code", _edit(head_pose="__import__('os').abort()"), ".json", None, "is not a vector"),
    ("nan", _edit(eye_details={"look_vec": "(nan, 0, -1, 0)"}), ".json", None, "is not a vector"),
    ("two", _edit(head_pose="(1.0, 180.0)"), ".json", None, "is not a vector"),
    ("huge", _edit(head_pose="(1e300, 180.0, 0.0)"), ".json", None, "not plausible"),
    ("digits", _edit(head_pose=f"({'9' * 200_000}"), ".json", None, "is not a vector"),
    ("fat", _edit(more="x" * (1 << 20)), ".json", None, "is larger than 1 MiB"),
    ("twice", _json(b'{"head_pose": 1, "head_pose": 2}'), ".json", None, "has two 'head_pose'"),
    ("lost iris", _edit(iris_2d=["(50000.0, 5.0, 1.0)"] * 32), ".jpg", None, "does not lie in the picture"),
    ("far", _edit(caruncle_2d=["(-90000.0, 5.0, 1.0)"]), ".jpg", None, "does not lie in the picture"),
    ("zero look", _edit(eye_details={"look_vec": "(0, 0, 0, 0)"}), ".json", None, "look_vec"),
    ("inwards", _edit(eye_details={"look_vec": "(0, 0, 1, 0)"}), ".json", None, "look_vec"),
    ("away", _edit(head_pose="(0.0, 0.0, 0.0)"), ".json", None, "faces away"),
    ("cut jpg", _jpeg(lambda data: data[: len(data) // 2]), ".jpg", None, "cut off"),
    ("empty jpg", _jpeg(lambda data: b""), ".jpg", None, "not a JPEG"),
    ("png", _jpeg(lambda data: b"\x89PNG" + data), ".jpg", None, "not a JPEG"),
    ("hollow jpg", _jpeg(lambda data: b"\xff\xd8\xff\xd9"), ".jpg", None, "broken header"),
    ("huge jpg", _jpeg(_claim(60_000, 60_000)), ".jpg", None, "60000 x 60000 pixels"),
    ("large jpg", _jpeg(_claim(5000, 5000)), ".jpg", None, "5000 x 5000 pixels"),
    ("flat jpg", _jpeg(_claim(160, 0)), ".jpg", None, "160 x 0 pixels"),
    ("hidden header", _jpeg(_hide_header), ".jpg", None, "broken header"),
    ("many scans", _jpeg(_many_scans), ".jpg", None, "scans"),
    ("folder jpg", lambda stem: _to_folder(stem.with_suffix(".jpg")), ".jpg", None, "is not a file"),
    ("pipe json", lambda stem: _to_pipe(stem.with_suffix(".json")), ".json", None, "is not a file"),
    ("headless jpg", _jpeg(lambda data: data[:200] + b"\xff\xd9"), ".jpg", None, ""),
    ("json link", _link_outside(".json"), ".json", None, "leads out of"),
    ("jpg link", _link_outside(".jpg"), ".jpg", None, "leads out of"),
]


def test_unity_bad_samples_are_skipped_and_reported(tmp_path: Path) -> None:
    imgs = tmp_path / "raw" / "imgs"
    for i in range(2):
        SMALL_UNITY.write(imgs, f"good{i}")
    for name, break_it, *_ in BROKEN_UNITY:
        SMALL_UNITY.write(imgs, name)
        break_it(imgs / name)
    (imgs / ".hidden.json").write_text("not a sample")
    report, eyes = unity(tmp_path / "raw", LENIENT_UNITY)
    assert len(eyes) == 2
    assert report.samples == len(BROKEN_UNITY) + 2
    found = reasons(report)
    for name, _, suffix, line, reason in BROKEN_UNITY:
        assert reason in found.pop((f"imgs/{name}{suffix}", line)), name
    assert not found
    assert json.loads(report.to_json())["eyes"] == 2


def test_a_progressive_jpeg_is_as_good(tmp_path: Path) -> None:
    SMALL_UNITY.write(tmp_path / "raw", "1")
    picture = cv2.imread(str(tmp_path / "raw" / "1.jpg"))
    cv2.imwrite(str(tmp_path / "raw" / "1.jpg"), picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert not unity(tmp_path / "raw")[0].bad


@pytest.mark.parametrize("padding", [b"", b"\0" * 9])
def test_padding_after_a_picture_is_harmless(tmp_path: Path, padding: bytes) -> None:
    SMALL_UNITY.write(tmp_path / "raw", "1")
    _jpeg(lambda data: data + padding)(tmp_path / "raw" / "1")
    assert not unity(tmp_path / "raw")[0].bad


def test_unity_folder_absent_or_empty(tmp_path: Path) -> None:
    for source, message in ((tmp_path / "none", "no such file or folder"), (tmp_path, "holds no pictures")):
        with pytest.raises(InputError, match=message) as error:
            unity(source)
        assert "imgs/N.jpg" in str(error.value) or "N.jpg" in str(error.value)


def test_too_many_bad_samples(tmp_path: Path) -> None:
    for i in range(10):
        SMALL_UNITY.write(tmp_path / "raw", str(i))
    for i in (3, 7):
        (tmp_path / "raw" / f"{i}.jpg").unlink()
    report, _ = unity(tmp_path / "raw", PrepareUnityEyes(max_bad_fraction=0.2))
    assert len(report.bad) == 2
    (tmp_path / "eyes.h5").unlink()
    with pytest.raises(InputError, match=r"2 of 10 samples are bad(.|\n)*3\.jpg: no such file(.|\n)*7\.jpg"):
        unity(tmp_path / "raw", PrepareUnityEyes(max_bad_fraction=0.1))
    assert not list(tmp_path.glob("eyes.h5*"))


# MPIIFaceGaze


def good_person(person: Path, scene: Scene = SMALL, *, lines: int = 4) -> None:
    picture = scene.draw(np.zeros((1, 2)))
    write_person(person, scene, [scene.line("day01/0001.jpg")] * lines, picture)


@pytest.mark.parametrize(
    ("eye", "sides"),
    [
        ("both", ["right", "left"] * 2),
        ("left", ["left"] * 2),
        ("right", ["right"] * 2),
        ("evaluated", ["right", "left"]),
    ],
)
def test_mpii_eyes(tmp_path: Path, eye: str, sides: list[str]) -> None:
    lines = [SMALL.line("day01/0001.jpg", evaluated) for evaluated in ("right", "left")]
    write_person(tmp_path / "raw" / "p03", SMALL, lines, SMALL.draw(np.zeros((1, 2))))
    report, eyes = mpii(tmp_path / "raw", PrepareMPIIFaceGaze(eye=eye))  # type: ignore[arg-type]
    assert report.counts == {"p03": len(sides)}
    assert set(eyes.person) == {"p03"}
    assert np.isnan(eyes.landmarks).all()
    # The scene is built about the left eye, which has the spot in its middle.
    dark = eyes.image[:, 17:19, 29:31].mean(axis=(1, 2)) < 100
    assert dark.tolist() == [side == "left" for side in sides]
    seen = np.degrees(eyes.head[:, 1])
    assert (np.sign(seen) == [-1 if side == "left" else 1 for side in sides]).all()


def test_mpii_color_and_grey_agree(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 16, 3), dtype=np.uint8)
    picture = cv2.resize(picture, SMALL.size, interpolation=cv2.INTER_CUBIC)
    write_person(tmp_path / "raw" / "p00", SMALL, [SMALL.line("day01/0001.jpg")], picture)
    _, grey = mpii(tmp_path / "raw")
    output = tmp_path / "color.h5"
    prepare(MPIIFACEGAZE, tmp_path / "raw", output, EyePicture(color=True), PrepareMPIIFaceGaze())
    color = load_eyes(output, equalized=False)
    assert color.image.shape == (2, 36, 60, 3)
    luma = color.image @ [0.299, 0.587, 0.114]  # red comes first
    assert np.abs(luma - grey.image).max() < 2.5
    np.testing.assert_array_equal(color.gaze, grey.gaze)


def _column(index: int, value: str) -> Callable[[str], str]:
    def change(line: str) -> str:
        columns = line.split()
        columns[index] = value
        return " ".join(columns)

    return change


BROKEN_MPII: list[tuple[Callable[[str], str], str]] = [
    (lambda line: line.rsplit(" ", 1)[0], "27 columns; expected 28"),
    (lambda line: line + " 1", "29 columns; expected 28"),
    (lambda line: "what?", "1 columns"),
    (_column(16, "nan"), "'nan' is not a number"),
    (_column(16, "inf"), "'inf' is not a number"),
    (_column(3, "1_0"), "is not a number"),
    (_column(20, "1e300"), "not a plausible number"),
    (_column(20, "-300"), "not before the camera"),
    (_column(16, "3.0"), "faces away"),
    (_column(18, "450"), "outside the picture"),
    (_column(26, "90000"), "behind the eye"),
    (_column(27, "middle"), "'middle'; expected left or right"),
    (_column(0, "day01/0002.jpg"), "day01/0002.jpg no such file"),
    (_column(0, "/etc/hostname"), "leads out of"),
    (_column(0, "../../outside.jpg"), "leads out of"),
    (_column(0, "link.jpg"), "leads out of"),
    (_column(0, "loop.jpg"), "cannot be read"),
    (_column(0, "a\0b.jpg"), "cannot be read"),
    (_column(0, "x" * 5000), "cannot be read"),
    (_column(0, "day01"), "is not a file"),
    (_column(0, "p00.txt"), "not a JPEG"),
    (_column(0, "day01/cut.jpg"), "cut off"),
    (lambda line: line + " 0" * 5000, "longer than"),
    (_column(16, "1" * 5000), "is not a number"),
    (_column(0, "day01/\udcff.jpg"), "decode"),
]


def test_mpii_bad_lines_are_skipped_and_reported(tmp_path: Path) -> None:
    person = tmp_path / "raw" / "p00"
    good_person(person)
    good = SMALL.line("day01/0001.jpg")
    whole = (person / "day01/0001.jpg").read_bytes()
    (person / "day01/cut.jpg").write_bytes(whole[:-200])
    (tmp_path / "outside.jpg").write_bytes(whole)
    (person / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (person / "loop.jpg").symlink_to(person / "loop.jpg")
    lines = [good, "", *[break_it(good) for break_it, _ in BROKEN_MPII], good]
    (person / "p00.txt").write_bytes("\r\n".join(lines).encode(errors="surrogateescape"))
    report, eyes = mpii(tmp_path / "raw", LENIENT_MPII)
    assert len(eyes) == 4
    found = reasons(report)
    for number, (_, reason) in enumerate(BROKEN_MPII, 3):
        assert reason in found.pop(("p00/p00.txt", number)), reason
    assert not found


def test_mpii_an_eye_at_the_camera_is_a_bad_line(tmp_path: Path) -> None:
    """It would be cut from more samples than any memory holds."""
    good = SMALL.line("day01/0001.jpg")
    depth = float(good.split()[20])
    lines = [good, *[_column(20, f"{depth - away}")(good) for away in (549.0, 549.999, 550.0)]]
    write_person(tmp_path / "raw" / "p00", SMALL, lines, SMALL.draw(np.zeros((1, 2))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report, eyes = mpii(tmp_path / "raw", PrepareMPIIFaceGaze(eye="left", max_bad_fraction=0.9))
    assert len(eyes) == 1
    assert [bad.line for bad in report.bad] == [2, 3, 4]
    assert "too near" in report.bad[0].reason


def test_links_made_by_dvc_are_explained(tmp_path: Path) -> None:
    SMALL_UNITY.write(tmp_path / "raw", "1")
    kept = tmp_path / ".dvc/cache/files/md5/0a/bc"
    kept.parent.mkdir(parents=True)
    (tmp_path / "raw" / "1.jpg").rename(kept)
    (tmp_path / "raw" / "1.jpg").symlink_to(kept)
    with pytest.raises(InputError, match=r"dvc config cache\.type .*dvc checkout --relink"):
        unity(tmp_path / "raw")


def _mat(**values: object) -> Callable[[Path], None]:
    return lambda person: scipy.io.savemat(person / "Calibration/Camera.mat", values)


EYE = np.array([[250.0, 0, 160], [0, 250, 90], [0, 0, 1]])


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda person: (person / "Calibration/Camera.mat").unlink(), "Camera.mat: no such file"),
        (lambda person: (person / "Calibration/Camera.mat").write_bytes(b"no"), "not a readable MATLAB"),
        (lambda person: os.truncate(person / "Calibration/Camera.mat", 1 << 24), "is larger than 1 MiB"),
        (_mat(distCoeffs=np.zeros(5)), "holds no 'cameraMatrix'"),
        (_mat(cameraMatrix=np.eye(4)), "is not \\[fx"),
        (_mat(cameraMatrix=EYE * np.nan), "is not \\[fx"),
        (_mat(cameraMatrix=EYE.T), "is not \\[fx"),
        (_mat(cameraMatrix=EYE * 1j), "holds no 'cameraMatrix'"),
        (_mat(cameraMatrix="text"), "holds no 'cameraMatrix'"),
        (_mat(cameraMatrix=EYE, distCoeffs=np.zeros(3)), "'distCoeffs'"),
        (_mat(cameraMatrix=EYE, distCoeffs=np.full(5, np.inf)), "'distCoeffs'"),
        (lambda person: (person / "p00.txt").unlink(), "p00.txt: no such file"),
        (lambda person: (person / "p00.txt").write_text("\n"), "holds no eyes"),
    ],
)
def test_mpii_broken_person(tmp_path: Path, break_it: Callable[[Path], object], message: str) -> None:
    good_person(tmp_path / "raw" / "p00")
    break_it(tmp_path / "raw" / "p00")
    with pytest.raises(InputError, match=message):
        mpii(tmp_path / "raw")
    assert not list(tmp_path.glob("eyes.h5*"))


def test_mpii_folder_absent_or_empty(tmp_path: Path) -> None:
    for source, message in ((tmp_path / "none", "no such file or folder"), (tmp_path, "holds no persons")):
        with pytest.raises(InputError, match=message) as error:
            mpii(source)
        assert "p00" in str(error.value)


# HDF5


def write_hdf5(path: Path, datasets: dict[str, object]) -> Path:
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            file[name] = data
    return path


def hdf5(
    path: Path, size: EyePicture | None = None, params: PrepareMPIIFaceGaze | None = None
) -> tuple[Report, Eyes]:
    output = path.parent / "out.h5"
    report = prepare(HDF5, path, output, size or EyePicture(), params or PrepareMPIIFaceGaze())
    return report, load_eyes(output, equalized=False)


@pytest.mark.parametrize(("size", "kept"), [((36, 60), 60), ((72, 120), 120), ((50, 50), 50), ((30, 90), 50)])
def test_hdf5_landmarks_stay_on_the_picture(tmp_path: Path, size: tuple[int, int], kept: int) -> None:
    """Whatever its shape, the middle is kept: a spot drawn there is where its landmark says."""
    height, width = size
    spot = np.array([width / 2 + 3.3, height / 2 - 2.1])
    picture = spots(width, height, spot[None], 2.5)
    landmarks = np.full((1, 18, 2), spot)
    source = write_hdf5(tmp_path / "in.h5", {"p00/image": picture[None], "p00/landmarks": landmarks})
    _, eyes = hdf5(source)
    assert eyes.image.shape == (1, 36, 60)
    expected = (spot - [width / 2 - 0.5, height / 2 - 0.5]) * 60 / kept + [29.5, 17.5]
    np.testing.assert_allclose(eyes.landmarks[0, 5], expected, atol=1e-4)
    np.testing.assert_allclose(spot_center(eyes.image[0], expected, 8), expected, atol=0.15)


def test_hdf5_of_the_wanted_size_is_copied_exactly(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (600, 36, 60), dtype=np.uint8)
    angles = np.random.default_rng(1).uniform(-1, 1, (600, 2)).astype(np.float32)
    source = write_hdf5(tmp_path / "in.h5", {"p00/image": image, "p00/gaze": angles, "p01/image": image[:3]})
    with h5py.File(source, "a") as file:
        file.attrs["equalized"] = True
    seen: list[tuple[int, int]] = []
    prepare(
        HDF5,
        source,
        tmp_path / "out.h5",
        EyePicture(),
        PrepareMPIIFaceGaze(),
        progress=lambda *at: seen.append(at),
    )
    eyes = load_eyes(tmp_path / "out.h5")  # not equalised once more
    np.testing.assert_array_equal(eyes.image, np.concatenate([image, image[:3]]))
    np.testing.assert_array_equal(eyes.gaze[:600], angles)
    assert np.isnan(eyes.gaze[600:]).all()
    assert seen[-1] == (603, 603)
    with h5py.File(tmp_path / "out.h5") as file:
        assert set(file["p00"]) == {"image", "gaze"}
    _, larger = hdf5(source, EyePicture(width=80, height=48))
    assert larger.image.shape == (603, 48, 80)
    with h5py.File(tmp_path / "out.h5") as file:
        assert not file.attrs["equalized"]


def test_hdf5_fine_stripes_average_out(tmp_path: Path) -> None:
    stripes = np.zeros((1, 180, 300), np.uint8)
    stripes[..., ::2] = 255
    image = hdf5(write_hdf5(tmp_path / "in.h5", {"p00/image": stripes}))[1].image
    assert np.abs(image - 127.5).max() < 30  # two or three light pixels of five


@pytest.mark.parametrize("shape", [(0, 60), (36, 0), (1025, 1024)])
def test_hdf5_pictures_of_impossible_size(tmp_path: Path, shape: tuple[int, int]) -> None:
    source = write_hdf5(tmp_path / "in.h5", {"p00/image": np.zeros((1, *shape), np.uint8)})
    with pytest.raises(InputError, match="not of an eye"):
        hdf5(source)


def _external_link(file: h5py.File, secret: Path) -> None:
    file["p01"] = h5py.ExternalLink(str(secret), "/p00")


def _soft_link(file: h5py.File, secret: Path) -> None:
    file.create_group("p01")["image"] = h5py.SoftLink("/p00/image")


def _external_storage(file: h5py.File, secret: Path) -> None:
    file.create_dataset("p01/image", (2, 36, 60), np.uint8, external=[(str(secret), 0, 4320)])


def _virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((2, 36, 60), np.uint8)
    layout[:] = h5py.VirtualSource(str(secret), "p00/image", (2, 36, 60))
    file.create_virtual_dataset("p01/image", layout)


def _virtual_gaze(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((2, 2), np.float32)
    layout[:] = h5py.VirtualSource(str(secret), "p00/gaze", (2, 2))
    file.create_virtual_dataset("p00/gaze", layout)


def _never_written(file: h5py.File, secret: Path) -> None:
    file.create_dataset("p01/image", (1_000_000_000, 36, 60), np.uint8)


def _partly_written(file: h5py.File, secret: Path) -> None:
    file.create_dataset("p01/image", (1_000_000_000, 36, 60), np.uint8, chunks=(64, 36, 60))[0] = 1


@pytest.mark.parametrize(
    ("extend", "message"),
    [
        (_external_link, "'p01' is a link"),
        (_soft_link, "'image' is a link"),
        (_external_storage, "'image' lies in other files"),
        (_virtual, "'image' lies in other files"),
        (_virtual_gaze, "'gaze' lies in other files"),
        (_never_written, "'image' was never written"),
        (_partly_written, "'image' was never written in full"),
    ],
)
def test_hdf5_takes_nothing_from_elsewhere(
    tmp_path: Path, extend: Callable[[h5py.File, Path], None], message: str
) -> None:
    data = {"p00/image": np.full((2, 36, 60), 7, np.uint8), "p00/gaze": np.zeros((2, 2))}
    (tmp_path / "outside").mkdir()
    secret = write_hdf5(tmp_path / "outside" / "secret.h5", data)
    source = write_hdf5(tmp_path / "in.h5", {"p00/image": np.zeros((2, 36, 60), np.uint8)})
    with h5py.File(source, "a") as file:
        extend(file, secret)
    with pytest.raises(InputError, match=message):
        hdf5(source)


def test_hdf5_color_and_grey(tmp_path: Path) -> None:
    rgb = np.zeros((1, 36, 60, 3), np.uint8)
    rgb[..., 0] = 200  # red
    source = write_hdf5(tmp_path / "in.h5", {"p00/image": rgb})
    assert (hdf5(source)[1].image == 60).all()  # 0.299 x 200
    np.testing.assert_array_equal(hdf5(source, EyePicture(color=True))[1].image, rgb)
    grey = write_hdf5(tmp_path / "in.h5", {"p00/image": rgb[..., 0]})
    assert (hdf5(grey, EyePicture(color=True))[1].image == 200).all()


def test_hdf5_absurd_labels_are_bad_and_unknown_ones_are_not(tmp_path: Path) -> None:
    gaze = np.zeros((10, 2))
    gaze[2, 0] = np.nan
    gaze[3] = np.inf
    gaze[4, 1] = 25.0
    landmarks = np.full((10, 18, 2), 20.0)
    landmarks[5, 3, 0] = 1e6
    landmarks[6, 3, 0] = np.nan
    head = np.zeros((10, 2))
    head[7, 0] = -1.6
    data = {"image": np.zeros((10, 36, 60), np.uint8), "gaze": gaze, "head": head, "landmarks": landmarks}
    source = write_hdf5(tmp_path / "in.h5", {f"p00/{name}": values for name, values in data.items()})
    report, eyes = hdf5(source, params=PrepareMPIIFaceGaze(max_bad_fraction=0.3))
    assert [(bad.file, bad.line) for bad in report.bad] == [
        ("p00/gaze", 4),
        ("p00/landmarks", 5),
        ("p00/head", 7),
    ]
    assert eyes.has_gaze.tolist() == [True, True, False, False, True, True, True]
    assert eyes.has_landmarks.tolist() == [True] * 4 + [False] + [True] * 2
    with pytest.raises(InputError, match="3 of 10 samples"):
        hdf5(source)


def test_dispatch(tmp_path: Path) -> None:
    size = EyePicture()
    SMALL_UNITY.write(tmp_path / "U" / "imgs", "1")
    good_person(tmp_path / "M" / "p00")
    source = write_hdf5(tmp_path / "in.h5", {"p07/image": np.zeros((2, 36, 60), np.uint8)})
    output = tmp_path / "out.h5"
    assert prepare(UNITYEYES, tmp_path / "U", output, size, PrepareUnityEyes()).counts == {"unityeyes": 1}
    assert prepare(MPIIFACEGAZE, tmp_path / "M", output, size, PrepareMPIIFaceGaze()).counts == {"p00": 8}
    with pytest.raises(InputError, match="taken whole; set gaze_pitch"):
        prepare(UNITYEYES, source, output, size, PrepareUnityEyes(head_yaw=(-20, 20)))
    for data_set, params in ((UNITYEYES, PrepareUnityEyes()), (MPIIFACEGAZE, PrepareMPIIFaceGaze())):
        assert prepare(data_set, source, output, size, params).counts == {"p07": 2}
        with pytest.raises(InputError, match=r"no such file or folder; expected .* or an HDF5 eye set"):
            prepare(data_set, tmp_path / "none", output, size, params)
        with pytest.raises(InputError, match="not a readable HDF5 file"):
            prepare(data_set, tmp_path / "U" / "imgs" / "1.json", output, size, params)


# A new data set

DOTS = DataSet(
    name="dots",
    kind="folder of dots",
    description="a folder of dots (dots.txt)",
    recognizes=lambda source: (source / "dots.txt").is_file(),
    samples=lambda source, picture, section: Samples(
        count=len((source / "dots.txt").read_text().split()),
        samples=(source / "dots.txt").read_text().split(),
        prepare=partial(_draw_dot, picture),
        labels=["gaze"],
        persons=["nobody"],
    ),
    unit="dots",
    domain=Domain.REAL,
    section="prepare_mpiifacegaze",
    contents=lambda source: Contents({"someone": 3}, ["x.jpg"], []),
)


def _draw_dot(picture: EyePicture, grey: str) -> list[Eye]:
    if not grey.isdigit():
        raise SampleError("dots.txt", 2, "is not a grey level")
    image = np.full(picture.shape, int(grey), np.uint8)
    return [Eye("someone", image, gaze=np.array([0.1, int(grey) / 1000]))]


def test_a_new_data_set_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entered into the table, it is recognised, prepared and surveyed like the others."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "dots.txt").write_text("100 bad 200")
    with pytest.raises(InputError, match="not a data set; expected a UnityEyes folder"):
        recognize(tmp_path / "raw")
    monkeypatch.setitem(DATA_SETS, "dots", DOTS)
    assert recognize(tmp_path / "raw") is DOTS
    with pytest.raises(
        InputError, match=r"expected a folder of dots \(dots.txt\), a UnityEyes .* or an HDF5"
    ):
        recognize(tmp_path)
    output = tmp_path / "eyes.h5"
    section = PrepareMPIIFaceGaze(max_bad_fraction=0.5)
    report = prepare(DOTS, tmp_path / "raw", output, EyePicture(), section)
    assert report.counts == {"nobody": 0, "someone": 2}
    assert reasons(report) == {("dots.txt", 2): "is not a grey level"}
    assert load_eyes(output, equalized=False).image.max(axis=(1, 2)).tolist() == [100, 200]
    surveyed = survey(tmp_path / "raw", Params())
    assert (surveyed.data_set, surveyed.samples, surveyed.missing) == (DOTS, 3, ["x.jpg"])
    assert (surveyed.read, len(surveyed.bad), surveyed.eyes_read) == (3, 1, 2)
    np.testing.assert_allclose(surveyed.labels["gaze"][:, 1], [0.1, 0.2])


# All of them


def test_results_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    for i in range(270):  # more chunks than are under way at once
        replace(SMALL_UNITY, head=(i / 10, 180)).write(tmp_path / "U", str(i))
    (tmp_path / "U" / "77.jpg").unlink()
    for i in range(3):
        good_person(tmp_path / "M" / f"p0{i}", lines=30)
    alone, in_two = [
        (
            unity(tmp_path / "U", workers=workers, progress=lambda *at: seen.append(at)),  # type: ignore[arg-type]
            mpii(tmp_path / "M", workers=workers),
        )
        for workers in (1, 2)
    ]
    assert seen == [(done, 270) for done in (64, 128, 192, 256, 270)] * 2
    for (report, eyes), (other_report, other) in zip(alone, in_two, strict=True):
        assert report == other_report
        np.testing.assert_array_equal(eyes.person, other.person)
        np.testing.assert_array_equal(eyes.image, other.image)
        np.testing.assert_array_equal(eyes.head, other.head)
    assert alone[0][0].counts == {"unityeyes": 269}


WORKER_OUTLIVES = """
import os, signal
from fpgan.parallel import map_in_order

def process_of(piece):
    return os.getpid()

if __name__ == "__main__":
    for process in map_in_order(process_of, iter(int, 1), 2):
        if process != os.getpid():
            print("a worker works", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(WORKER_OUTLIVES)
    # The worker holds the other end of its output: it ends when both have.
    killed = subprocess.run([sys.executable, tmp_path / "killed.py"], capture_output=True, timeout=30)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, b"a worker works\n")


FORK = """
import os
import cv2, numpy as np
from fpgan.parallel import map_in_order

def blur(sigma):
    cv2.GaussianBlur(np.zeros((1500, 2000, 3), np.uint8), None, sigma)

if __name__ == "__main__":
    cv2.setNumThreads(4)
    list(map_in_order(blur, [1, 2, 3], 1))
    assert cv2.getNumThreads() == 4
    child = os.fork()
    if not child:
        cv2.setNumThreads(1)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


def test_a_process_that_has_prepared_eyes_can_fork(tmp_path: Path) -> None:
    """OpenCV's threads do not survive a fork, and a child that closes their pool waits for ever."""
    (tmp_path / "fork.py").write_text(FORK)
    subprocess.run([sys.executable, tmp_path / "fork.py"], check=True, timeout=20)


KILLED = """
import os, signal, sys
from pathlib import Path
from fpgan.data.datasets import prepare
from fpgan.data.unityeyes import UNITYEYES
from fpgan.params import EyePicture, PrepareUnityEyes

def kill(done, samples):
    if done >= 128:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    prepare(UNITYEYES, source, output, EyePicture(), PrepareUnityEyes(), workers=2, progress=kill)
"""


def test_a_killed_preparation_leaves_no_half_file(tmp_path: Path) -> None:
    SMALL_UNITY.write(tmp_path / "raw", "0")
    for i in range(1, 400):
        for suffix in (".jpg", ".json"):
            (tmp_path / "raw" / f"{i}{suffix}").hardlink_to(tmp_path / "raw" / f"0{suffix}")
    (tmp_path / "killed.py").write_text(KILLED)
    output = tmp_path / "eyes.h5"

    def prepare_and_be_killed() -> None:
        command = [sys.executable, str(tmp_path / "killed.py"), str(tmp_path / "raw"), str(output)]
        killed = subprocess.run(command, capture_output=True, timeout=30)
        assert killed.returncode == -signal.SIGKILL

    prepare_and_be_killed()
    assert not output.exists()
    unity(tmp_path / "raw")
    good = output.read_bytes()
    prepare_and_be_killed()
    assert output.read_bytes() == good
    unity(tmp_path / "raw")
    assert output.read_bytes() == good
    assert not list(tmp_path.glob("eyes.h5.*"))


def test_the_same_folder_is_prepared_to_the_same_bytes(tmp_path: Path) -> None:
    """No jitter: what varies belongs to the augmentation in training."""
    for i in range(5):
        SMALL_UNITY.write(tmp_path / "U", str(i))
    good_person(tmp_path / "M" / "p00")
    for folder, data_set, params in (
        ("U", UNITYEYES, PrepareUnityEyes()),
        ("M", MPIIFACEGAZE, PrepareMPIIFaceGaze()),
    ):
        outputs = [tmp_path / f"{folder}-{i}.h5" for i in range(2)]
        for output in outputs:
            prepare(data_set, tmp_path / folder, output, EyePicture(), params)
        assert outputs[0].read_bytes() == outputs[1].read_bytes()
    images = load_eyes(tmp_path / "U-0.h5").image
    assert (images == images[0]).all()


def test_the_preview_is_spread_over_a_set_of_any_size() -> None:
    """Its memory does not grow with the set: of a large one it keeps the same number of eyes."""

    def eye(number: int) -> Eye:
        gaze = np.array([0, number / 10_000]) if number % 2 else None
        head = np.array([number / 10_000, 0])
        return Eye("p00", np.zeros((2, 2), np.uint8), gaze, head, np.ones((18, 2)))

    for size in (10, 3000):
        preview = Preview(size, equalized=True)
        for start in range(0, size, 64):
            end = min(start + 64, size)
            preview.add([eye(number) for number in range(start, end)], start, end)
        assert (preview.with_gaze, preview.with_landmarks) == (size // 2, size)
        assert len(preview.gaze) == size // 2
        assert len(preview.eyes) == min(size, SHOWN_EYES)
    gaps = np.diff(preview.eyes.head[:, 0] * 10_000)
    assert gaps.min() > 0
    assert gaps.max() <= 3 * 64  # pieces of 64 eyes, of which every second or so gives one
    np.testing.assert_allclose(preview.gaze[:, 1], np.arange(1, 3000, 2) / 10_000, rtol=1e-5)


def test_messages_carry_no_control_characters() -> None:
    assert str(BadSample("a\x1b[2J.jpg", 3, "bad\nname \udcff")) == "a?[2J.jpg:3: bad?name ?"
