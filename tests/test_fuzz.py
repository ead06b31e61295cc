"""A thousand damaged and hostile inputs, in some dozens of preparations.

Whatever one sample holds, it is prepared or reported, the others come out to the bit as without it, and
nothing outside the folder is opened. The mutations are drawn from fixed seeds.
"""

import faulthandler
import json
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
from scenes import Scene, UnityEye, write_camera, write_jpeg

from fpgan.data.datasets import prepare
from fpgan.data.eye_set import load_eyes
from fpgan.data.eyes import Eyes
from fpgan.data.hdf5_eyes import HDF5
from fpgan.data.mpiifacegaze import MPIIFACEGAZE
from fpgan.data.preparation_report import BadSample, Report
from fpgan.data.unityeyes import UNITYEYES
from fpgan.errors import InputError
from fpgan.params import EyePicture, PrepareMPIIFaceGaze, PrepareUnityEyes

pytestmark = pytest.mark.filterwarnings("error")

EYE = UnityEye((160, 120), (65, 62), (95, 61), (82.8, 60.5), 4.5)
FACE = Scene(
    matrix=np.array([[250.0, 0, 160], [0, 250, 90], [0, 0, 1]]), direction=(0, 0, 0.1), size=(320, 180)
)
WORDS = [
    *(b"nan", b"NaN", b"inf", b"-Infinity", b"1e999", b"1e5", b"-", b"0", b".", b"1_0", b"0x10", b"9" * 400),
    *(b"\0", b'"', b"\\", b"((", b"[" * 3000, b'{"":' * 3000, b"\n", b"\r", b" ", b"\t", b" " * 20_000),
    *(b"\\ud800", b"\xed\xa0\x80", b"\xff\xfe", b"\xe2\x80\xae", b"\x1b[2J", b"%s%n", b"9" * 100_000),
    *(b"\xff\xd8", b"\xff\xd9", b"\xff\xc0", b"\xff\xda", b"\xff\x01", b"\xff\xc4\x00\x02", b"\xff" * 500),
]
SECONDS = 50  # for a test that takes two; then all threads' stacks are printed and pytest ends


@pytest.fixture(autouse=True)
def _nothing_hangs() -> Iterator[None]:
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


opened: list[str] | None = None


def _note_opening(event: str, arguments: tuple) -> None:
    if event == "open" and opened is not None and isinstance(arguments[0], str | bytes):
        opened.append(os.path.realpath(os.fsdecode(arguments[0])))


sys.addaudithook(_note_opening)  # stays for good: hence the switch


@contextmanager
def opening_only(*places: Path) -> Iterator[None]:
    """Fails when any file but those in the given folders, and Python's own, is opened in the block."""
    global opened
    opened = []
    try:
        yield
        names = opened
    finally:
        opened = None
    allowed = tuple(os.path.realpath(place) for place in (*places, sys.prefix, sys.base_prefix))
    assert names
    assert [name for name in names if not name.startswith(allowed)] == []


def mutate(data: bytes, chance: random.Random) -> bytes:
    """The data cut off, changed in some bytes, with a part left out, said twice, or an odd word put in."""
    changed = bytearray(data)
    kind = chance.randrange(6)
    at = chance.randrange(len(changed))
    if kind == 0:
        return bytes(changed[:at])
    if kind == 1:
        for _ in range(chance.choice([1, 4, 30])):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    elif kind == 2:
        changed[at : at + chance.randrange(1, 200)] = b""
    elif kind == 3:
        changed[at:at] = changed[at : at + chance.randrange(1, 2000)]
    else:
        changed[at : at + chance.choice([0, 0, 4])] = chance.choice(WORDS)
    return bytes(changed)


def test_the_watch_over_opened_files_sees_a_breach(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "secret").write_text("")
    with pytest.raises(AssertionError), opening_only(tmp_path / "raw"):  # noqa: PT012
        (tmp_path / "secret").read_text()
        (tmp_path / "raw" / "a").write_text("")


# UnityEyes

SAMPLES = 50  # of a folder, every fifth of them intact


def unity(source: Path) -> tuple[Report, Eyes]:
    output = source.parent / "eyes.h5"
    with opening_only(source, output):
        report = prepare(
            UNITYEYES, source, output, EyePicture(), PrepareUnityEyes(max_bad_fraction=0.99), workers=1
        )
    return report, load_eyes(output, equalized=False)


def value_mutations(chance: random.Random) -> bytes:
    """A record with an odd value, of the right or of a wrong type, at one place."""
    record = EYE.record()
    odd = [None, True, 0, -1.5, 10**400, "", "\0", "\ud800", [], {}, [[[]]], "(,,)", "()", "(1, 2, 3, 4, 5)"]
    odd += ["(nan, 1.0, 2.0)", "(1e5, -1e5, 0)", "(1e6, 0.0, 0.0)", f"({'9' * 5000}, 0.0, 0.0)"]
    value = chance.choice(odd)
    key = chance.choice(list(record))
    if chance.random() < 0.3:
        del record[key]
    elif isinstance(record[key], list) and chance.random() < 0.8:
        at = chance.randrange(len(record[key]))
        record[key][at : at + chance.randrange(2)] = [value] * chance.choice([1, 1, 1, 100])
    elif key == "eye_details" and chance.random() < 0.8:
        record[key]["look_vec"] = value
    else:
        record[key] = value
    return json.dumps(record).encode()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("part", [".json", ".jpg"])
def test_unityeyes(tmp_path: Path, part: str, seed: int) -> None:
    chance = random.Random(f"{part} {seed}")
    source = tmp_path / "raw"
    for i in range(SAMPLES):
        iris = (80 + i % 5, 60.5)  # eyes that can be told apart
        UnityEye(EYE.size, EYE.inner, EYE.outer, iris, EYE.iris_radius).write(source, str(i))
    good = unity(source)[1]
    secret = tmp_path / "secret"
    secret.mkdir()
    EYE.write(secret, "0")
    for i in range(SAMPLES):
        path = source / f"{i}{part}"
        if i % 5 == 0:
            continue
        intact = path.read_bytes()
        if i % 10 == 1:
            path.unlink()
            path.symlink_to(secret / f"0{part}")
        elif part == ".json" and i % 2:
            path.write_bytes(value_mutations(chance))
        else:
            path.write_bytes(mutate(intact, chance))
    report, eyes = unity(source)
    bad = {int(Path(sample.file).stem) for sample in report.bad}
    assert len(bad) == len(report.bad)
    assert bad.issuperset(range(1, SAMPLES, 10))
    assert bad.isdisjoint(range(0, SAMPLES, 5))
    assert report.outside == 0
    left = [i for i in range(SAMPLES) if i not in bad]
    assert len(eyes) == len(left)
    intact_rows = [row for row, i in enumerate(left) if i % 5 == 0]
    for name in ("image", "gaze", "head", "landmarks"):
        np.testing.assert_array_equal(getattr(eyes, name)[intact_rows], getattr(good, name)[::5])
        assert np.isfinite(getattr(eyes, name)).all()
    report.to_json().encode()
    report.summary().encode()


@pytest.mark.parametrize(
    "name", ["\udcff\udcfe", "a\nb", "\x1b[2J", "..", " ", "\u202e", "%s", "-", "x" * 240]
)
def test_unityeyes_odd_names(tmp_path: Path, name: str) -> None:
    EYE.write(tmp_path / "raw", "1")
    EYE.write(tmp_path / "raw", f"0{name}")
    assert len(unity(tmp_path / "raw")[1]) == 2
    (tmp_path / "raw" / f"0{name}.jpg").write_bytes(b"")
    report, eyes = unity(tmp_path / "raw")
    assert ([bad.file for bad in report.bad], len(eyes)) == ([f"0{name}.jpg"], 1)
    assert report.bad == [BadSample(**bad) for bad in json.loads(report.to_json())["bad"]]
    assert all(line.isprintable() for line in report.summary().split("\n"))


# MPIIFaceGaze


def mpii(source: Path) -> tuple[Report, Eyes]:
    output = source.parent / "eyes.h5"
    with opening_only(source, output):
        report = prepare(
            MPIIFACEGAZE,
            source,
            output,
            EyePicture(),
            PrepareMPIIFaceGaze(eye="left", max_bad_fraction=0.99),
            workers=1,
        )
    return report, load_eyes(output, equalized=False)


def write_faces(person: Path, count: int) -> list[bytes]:
    """A person with so many pictures; returns the annotation lines."""
    write_camera(person, FACE)
    lines = []
    for i in range(count):
        name = f"day01/{i:04d}.jpg"
        write_jpeg(person / name, FACE.draw(np.array([[i % 5, 0.0]])))
        lines.append(FACE.line(name).encode())
    return lines


def hostile_path(secret: Path, chance: random.Random) -> bytes:
    """A path that leads to the secret picture, in one of many ways."""
    up = "../" * chance.randrange(1, 12)
    ways = [
        str(secret),
        f"/{secret}",
        f"/proc/self/root{secret}",
        f"{up}{secret.name}",
        f"{up}{str(secret)[1:]}",
        f"day01/.././{up}{secret.name}",
        f"day01//..//{up}/{secret.name}",
        "link.jpg",
        "folder/secret.jpg",
        "day01/chain.jpg",
        f"day01/0000.jpg/{up}{secret.name}",
        f"file://{secret}",
        f"~/{up}{secret.name}",
        f"$PWD/{up}{secret.name}",
        f"{secret}\0.jpg",
        "/dev/zero",
        "/dev/stdin",
        "../../",
        ".",
        "/",
    ]
    return chance.choice(ways).encode()


def mutate_line(line: bytes, secret: Path, chance: random.Random) -> bytes:
    columns = line.split()
    kind = chance.randrange(4)
    at = chance.randrange(len(columns))
    if kind == 0:
        columns[0] = hostile_path(secret, chance)
    elif kind == 1:
        odd = [b"nan", b"-inf", b"1e5", b"-99999.9", b"0", b"1e-300", b"3,5", b"", b"\xd9\xa3", b"1" * 50_000]
        columns[at] = chance.choice(odd)
    elif kind == 2:
        del columns[at : at + chance.randrange(1, 4)]
    else:
        return mutate(line, chance).replace(b"\n", b" ")  # one line stays one
    return b" ".join(columns)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("part", ["lines", "pictures"])
def test_mpiifacegaze(tmp_path: Path, part: str, seed: int) -> None:
    chance = random.Random(f"{part} {seed}")
    person = tmp_path / "raw" / "p00"
    lines = write_faces(person, SAMPLES)
    secret = tmp_path / "secret.jpg"
    write_jpeg(secret, FACE.draw(np.zeros((1, 2))))
    (person / "link.jpg").symlink_to(secret)
    (person / "folder").symlink_to(tmp_path)
    (person / "day01" / "chain.jpg").symlink_to("../link.jpg")
    annotation = person / "p00.txt"
    annotation.write_bytes(b"\n".join(lines))
    good = mpii(tmp_path / "raw")[1]
    for i in range(SAMPLES):
        if i % 5 == 0:
            continue
        if part == "lines":
            lines[i] = mutate_line(lines[i], secret, chance) or b"?"
        else:
            path = person / "day01" / f"{i:04d}.jpg"
            path.write_bytes(mutate(path.read_bytes(), chance))
    annotation.write_bytes(b"\n".join(lines))
    report, eyes = mpii(tmp_path / "raw")
    bad = {sample.line - 1 for sample in report.bad if sample.line is not None}
    assert len(bad) == len(report.bad) > 0
    assert bad.isdisjoint(range(0, SAMPLES, 5))
    blank = {i for i, line in enumerate(lines) if not line.strip()}
    left = [i for i in range(SAMPLES) if i not in bad | blank]
    assert len(eyes) == len(left)
    intact_rows = [row for row, i in enumerate(left) if i % 5 == 0]
    for name in ("image", "gaze", "head"):
        np.testing.assert_array_equal(getattr(eyes, name)[intact_rows], getattr(good, name)[::5])
        assert np.isfinite(getattr(eyes, name)).all()
    report.to_json().encode()
    report.summary().encode()


def test_mpiifacegaze_cameras(tmp_path: Path) -> None:
    chance = random.Random(0)
    lines = write_faces(tmp_path / "raw" / "p00", 1)
    (tmp_path / "raw" / "p00" / "p00.txt").write_bytes(lines[0])
    camera = tmp_path / "raw" / "p00" / "Calibration" / "Camera.mat"
    intact = camera.read_bytes()
    failed = 0
    for _ in range(100):
        camera.write_bytes(mutate(intact, chance))
        try:
            mpii(tmp_path / "raw")
        except InputError:
            failed += 1
    assert 0 < failed < 100


# HDF5


def hdf5(source: Path) -> Eyes | None:
    """None where the whole file was refused."""
    output = source.parent / "out.h5"
    output.unlink(missing_ok=True)
    try:
        prepare(HDF5, source, output, EyePicture(), PrepareMPIIFaceGaze(max_bad_fraction=0.9))
    except InputError:
        assert not list(source.parent.glob("out.h5*"))
        return None
    return load_eyes(output, equalized=False)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_hdf5_bytes(tmp_path: Path, compression: str | None) -> None:
    chance = random.Random(f"{compression}")
    source = tmp_path / "in.h5"
    with h5py.File(source, "w") as file:
        image = np.random.default_rng(0).integers(0, 256, (8, 18, 30), dtype=np.uint8)
        file.create_dataset("p00/image", data=image, compression=compression, fletcher32=bool(compression))
        file["p00/gaze"] = np.zeros((8, 2))
        file["p00/landmarks"] = np.ones((8, 18, 2))
    intact = source.read_bytes()
    refused = 0
    for _ in range(75):
        source.write_bytes(mutate(intact, chance))
        refused += hdf5(source) is None
    assert 0 < refused < 75


def _absent_filter(data: bytes) -> bytes:
    """The gzip filter's number (1) changed to one that no library has."""
    at = data.index(b"\x01\x00\x08\x00\x01\x00\x01\x00deflate")
    return data[:at] + b"\x00\x7d" + data[at + 2 :]


SHAPES: list[tuple[int, ...]] = [
    *((), (0,), (4,), (4, 0), (4, 3), (4, 36, 0), (4, 1, 1), (4, 36, 60, 4), (4, 36, 60, 3, 1))
]
TYPES = ["u1", "i1", "f4", "f8", "c8", "S4", "bool", h5py.string_dtype(), h5py.ref_dtype, [("a", "u1")]]


def test_hdf5_layouts(tmp_path: Path) -> None:
    """The pictures and every label, in wrong shapes and types."""
    source = tmp_path / "in.h5"
    fitting = {"image": ((4, 36, 60), "u1"), "gaze": ((4, 2), "f4"), "landmarks": ((4, 18, 2), "f8")}
    taken = []
    for odd, (shape, kind) in fitting.items():
        for wrong in [(other, kind) for other in SHAPES] + [(shape, other) for other in TYPES]:
            with h5py.File(source, "w") as file:
                for name, usual in fitting.items():
                    file.create_dataset(f"p00/{name}", *(wrong if name == odd else usual))
                    if file[f"p00/{name}"].dtype.kind in "fiu":
                        file[f"p00/{name}"].write_direct(np.ones_like(file[f"p00/{name}"]))
            if hdf5(source) is not None:
                taken.append((odd, *wrong))
    numbers = ("u1", "i1", "f4", "f8")
    assert taken[:2] == [("image", (4, 1, 1), "u1"), ("image", (4, 36, 60), "u1")]
    assert taken[2:] == [(odd, fitting[odd][0], kind) for odd in ("gaze", "landmarks") for kind in numbers]


def test_hdf5_absent_filter(tmp_path: Path) -> None:
    source = tmp_path / "in.h5"
    with h5py.File(source, "w") as file:
        file.create_dataset("p00/image", data=np.zeros((4, 36, 60), np.uint8), compression="gzip")
    source.write_bytes(_absent_filter(source.read_bytes()))
    with pytest.raises(InputError, match="group 'p00' cannot be read"):
        prepare(HDF5, source, tmp_path / "out.h5", EyePicture(), PrepareMPIIFaceGaze())
