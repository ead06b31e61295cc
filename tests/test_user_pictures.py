"""Trained networks on a folder of pictures as users have them: any size and kind, some broken."""

import csv
import os
from collections import abc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
import torch
from conftest import HEIGHT, WIDTH, draw_eyes
from numpy.typing import NDArray

from fpgan.cli import app
from fpgan.data.cropping import fit_picture
from fpgan.data.eyes import equalize
from fpgan.errors import InputError
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.inference import estimate_gaze, translate_pictures
from fpgan.networks.weights import save_network
from fpgan.own_pictures import folder as picture_folder
from fpgan.own_pictures.estimating import draw_gaze, estimate_folder
from fpgan.own_pictures.reading import is_cut_off, read_picture
from fpgan.own_pictures.translating import translate_folder
from fpgan.parallel import map_in_order
from fpgan.params import EyePicture

Picture = NDArray[np.uint8]
GREY = EyePicture(width=WIDTH, height=HEIGHT)
EYES = draw_eyes(12, seed=0).image


def write(path: Path, picture: NDArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())


def read(path: Path) -> Picture:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8)


def table(path: Path) -> dict[str, dict[str, str]]:
    """The lines of a CSV file by the picture's name."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(1, 4, 1).eval()


@pytest.fixture
def gaze_net() -> GazeNet:
    torch.manual_seed(0)
    return GazeNet(1, HEIGHT, WIDTH, "residual").eval()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """One eye each in its own way, and what is no eye."""
    folder = tmp_path / "pictures"
    for number, name in enumerate(("a.png", "sub/b.png", "sub/deep/c.png", "a.jpg")):
        write(folder / name, EYES[number])
    write(folder / "a.jpg.png", EYES[4])
    write(folder / "large.JPEG", cv2.resize(EYES[5], (WIDTH * 8, HEIGHT * 8)))
    write(folder / "cut.png", EYES[6])
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:-30])
    write(folder / "flipped.png", EYES[6])
    data = bytearray((folder / "flipped.png").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "flipped.png").write_bytes(data)
    (folder / "cut.jpg").write_bytes((folder / "a.jpg").read_bytes()[:-30])
    (folder / "text.jpg").write_text("not a picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")
    (folder / ".hidden.png").write_bytes(b"")
    write(tmp_path / "outside.png", EYES[7])
    (folder / "link.png").symlink_to("../outside.png")
    (folder / "folder").symlink_to(tmp_path)
    (folder / os.fsdecode(b"odd\xff.png")).write_bytes((folder / "a.png").read_bytes())
    return folder


BROKEN = {
    "cut.png": "no end",
    "flipped.png": "checksums",
    "cut.jpg": "cut off",
    "text.jpg": "not a PNG or JPEG",
    "empty.png": "not a PNG or JPEG",
    "link.png": "leads out",
    "folder": "leads out",
}


def test_every_picture_is_translated_under_its_own_name_and_broken_ones_are_told(
    tmp_path: Path, pictures: Path, generator: Generator
) -> None:
    out = tmp_path / "out"
    progress: list[tuple[int, int]] = []
    result = translate_folder(
        generator,
        pictures,
        out,
        GREY,
        flip=False,
        batch_size=3,
        progress=lambda done, total: progress.append((done, total)),
    )
    rows = table(out / "translations.csv")
    assert {name: row["problem"] != "" for name, row in rows.items()} == {
        name: name in BROKEN for name in rows
    }
    for name, reason in BROKEN.items():
        assert reason in rows[name]["problem"]
        assert rows[name]["picture"] == ""
    assert (result.read, result.bad) == (7, len(BROKEN))
    assert progress[-1] == (7 + len(BROKEN), 7 + len(BROKEN))
    written = {row["picture"] for row in rows.values() if row["picture"]}
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == written | {"translations.csv"}
    assert len(written) == 7  # none over another
    assert rows["sub/deep/c.png"]["picture"] == "sub/deep/c.png"
    assert rows["a.png"]["picture"] == "a.png"
    assert rows["large.JPEG"]["picture"] == "large.png"
    for number, name in ((0, "a.png"), (1, "sub/b.png"), (2, "sub/deep/c.png"), (4, "a.jpg.png")):
        expected = translate_pictures(generator, equalize(EYES[number : number + 1]))[0]
        translated = read(out / rows[name]["picture"]).astype(int)
        assert np.abs(translated - expected).max() <= 1  # sums of a batch may be in another order
    assert [path.name for path in tmp_path.iterdir() if ".partial" in path.name] == []


def test_beside_a_gpu_processes_read_and_write_the_same(
    tmp_path: Path,
    pictures: Path,
    generator: Generator,
    gaze_net: GazeNet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(300):
        write(pictures / f"many/{number}.png", EYES[number % len(EYES)])

    def run(out: Path) -> dict[str, bytes]:
        translate_folder(generator, pictures, out / "translated", GREY, flip=True, batch_size=2)
        estimate_folder(gaze_net, pictures, out / "gaze", GREY, flip=True)
        return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}

    by_threads = run(tmp_path / "threads")
    workers: set[int] = set()

    def by_processes(function: Any, work: Iterable[Any]) -> abc.Generator[Any, None, None]:
        for piece in map_in_order(function, work, 2):
            workers.update(each.pid for each in psutil.Process().children() if "spawn" in str(each.cmdline()))
            yield piece

    monkeypatch.setattr(picture_folder, "_spread", lambda network: by_processes)
    assert run(tmp_path / "processes") == by_threads
    assert len(workers) == 4, "one that reads and one that writes, by each network"


def test_the_gaze_table_holds_what_the_network_says(
    tmp_path: Path, pictures: Path, gaze_net: GazeNet
) -> None:
    out = tmp_path / "out"
    result = estimate_folder(gaze_net, pictures, out, GREY, flip=False)
    assert (result.read, result.bad) == (7, len(BROKEN))
    rows = table(out / "gaze.csv")
    for number, name in ((0, "a.png"), (1, "sub/b.png"), (2, "sub/deep/c.png")):
        gaze = estimate_gaze(gaze_net, equalize(EYES[number : number + 1]))[0]
        row = rows[name]
        np.testing.assert_allclose([float(row["pitch"]), float(row["yaw"])], gaze, atol=2e-6)
        degrees = [float(row["pitch_degrees"]), float(row["yaw_degrees"])]
        np.testing.assert_allclose(degrees, np.degrees(gaze), atol=1e-4)
        assert read(out / row["picture"]).shape == (HEIGHT * 15, WIDTH * 15, 3)
    assert all(rows[name]["pitch"] == "" for name in BROKEN)


def test_mirrored_pictures_with_flip_are_the_same_mirrored(
    tmp_path: Path, generator: Generator, gaze_net: GazeNet
) -> None:
    large = cv2.resize(EYES[0], (3 * WIDTH, 5 * HEIGHT))
    write(tmp_path / "left/eye.png", large)
    write(tmp_path / "right/eye.png", large[:, ::-1])
    for side, flip in (("left", False), ("right", True)):
        source = tmp_path / side
        translate_folder(generator, source, tmp_path / f"{side}-out", GREY, flip=flip, batch_size=8)
        estimate_folder(gaze_net, source, tmp_path / f"{side}-gaze", GREY, flip=flip)
    left, right = (read(tmp_path / f"{side}-out/eye.png") for side in ("left", "right"))
    assert not np.array_equal(left, left[:, ::-1])
    np.testing.assert_array_equal(left, right[:, ::-1])
    left_gaze, right_gaze = (
        table(tmp_path / f"{side}-gaze/gaze.csv")["eye.png"] for side in ("left", "right")
    )
    assert float(left_gaze["pitch"]) == float(right_gaze["pitch"])
    assert float(left_gaze["yaw"]) == -float(right_gaze["yaw"]) != 0
    assert float(left_gaze["yaw_degrees"]) == -float(right_gaze["yaw_degrees"])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("eye.png", lambda grey: grey.astype(np.uint16) * 257),
        ("eye.png", lambda grey: cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)),
        ("eye.png", lambda grey: cv2.cvtColor(grey, cv2.COLOR_GRAY2BGRA)),
        ("eye.png", lambda grey: cv2.cvtColor(grey.astype(np.uint16) * 257, cv2.COLOR_GRAY2BGRA)),
        ("eye.jpg", lambda grey: grey),
    ],
    ids=["16 bits", "RGB", "alpha", "alpha, 16 bits", "JPEG"],
)
def test_one_eye_in_any_coding_is_the_same_eye(
    tmp_path: Path, name: str, change: Callable[[Picture], NDArray]
) -> None:
    smooth = cv2.GaussianBlur(EYES[0], (0, 0), 2)
    changed = change(smooth)
    if changed.dtype == np.uint16 and changed.ndim == 3:
        changed[..., 3] = 65535
    write(tmp_path / name, changed)
    picture = read_picture(tmp_path.resolve(), name)
    fitted, crop = fit_picture(picture, GREY)
    assert not is_cut_off(picture, crop)
    assert np.abs(fitted.astype(int) - smooth).max() <= (6 if name == "eye.jpg" else 1)


def test_16_bit_pictures_of_which_12_are_used_keep_their_contrast(tmp_path: Path) -> None:
    write(tmp_path / "eye.png", EYES[0].astype(np.uint16) * 16)
    picture = read_picture(tmp_path.resolve(), "eye.png")
    assert np.abs(picture.astype(int) - EYES[0]).max() <= 1


def test_what_is_transparent_is_grey_and_colours_keep_their_order(tmp_path: Path) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    picture[:, : WIDTH // 2] = (255, 0, 0, 255)  # blue
    write(tmp_path / "eye.png", picture)
    colored = EyePicture(width=WIDTH, height=HEIGHT, color=True)
    fitted, _ = fit_picture(read_picture(tmp_path.resolve(), "eye.png"), colored)
    assert fitted[5, 5].tolist() == [0, 0, 255]
    assert fitted[5, -5].tolist() == [128, 128, 128]


def test_a_picture_of_another_shape_is_cut_to_its_middle() -> None:
    wide = np.concatenate([np.zeros((HEIGHT, WIDTH), np.uint8), EYES[0], np.zeros_like(EYES[0])], axis=1)
    fitted, crop = fit_picture(wide, GREY)
    assert is_cut_off(wide, crop)
    np.testing.assert_array_equal(fitted, EYES[0])


def test_the_arrow_points_where_the_eye_looks() -> None:
    def middle(gaze: tuple[float, float]) -> tuple[float, float]:
        """Where, from the middle, the arrow lies."""
        drawn = draw_gaze(np.full((HEIGHT, WIDTH), 255, np.uint8), np.array(gaze))
        y, x = np.nonzero(drawn[..., 2] < 128)
        return x.mean() - drawn.shape[1] / 2, y.mean() - drawn.shape[0] / 2

    assert middle((0, 0.3))[0] < -5  # yaw > 0: to the left
    assert middle((0, -0.3))[0] > 5
    assert middle((0.3, 0))[1] < -5  # pitch > 0: up
    assert middle((-0.3, 0))[1] > 5


def test_where_nothing_can_be_read_nothing_is_left(tmp_path: Path, generator: Generator) -> None:
    def refused(source: Path, output: Path, message: str) -> None:
        with pytest.raises(InputError, match=message):
            translate_folder(generator, source, output, GREY, flip=False, batch_size=8)

    folder = tmp_path / "pictures"
    folder.mkdir()
    refused(folder, tmp_path / "out", "holds no PNG or JPEG")
    refused(tmp_path / "none", tmp_path / "out", "no such file or folder")
    (folder / "eye.png").write_text("none")
    refused(folder, tmp_path / "out", "(?s)none of 1 pictures.*eye.png: is not a PNG or JPEG")
    write(folder / "eye.png", EYES[0])
    refused(folder, folder / "out", "lies in the folder")
    refused(tmp_path, folder, "not an empty folder|lies in")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("mine")
    refused(folder, tmp_path / "full", "not an empty folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "pictures"]

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate_folder(
            generator, folder, tmp_path / "out", GREY, flip=False, batch_size=8, progress=interrupt
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "pictures"]


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "eyes/eye.jpg", cv2.resize(EYES[0], (90, 50)))
    (tmp_path / "params.yaml").write_text(f"eyes: {{width: {WIDTH}, height: {HEIGHT}}}\nseeds: [3]\n")
    weights = {"channels": 1, "filters": 4, "residual_blocks": 1}
    save_network(tmp_path / "models/gan/3/F.safetensors", Generator(**weights), weights)
    gaze = {"channels": 1, "height": HEIGHT, "width": WIDTH, "network": "residual"}
    save_network(tmp_path / "mine.safetensors", GazeNet(**gaze), gaze)
    monkeypatch.chdir(tmp_path)
    app(["translate", "eyes", "--direction", "r2s"], standalone_mode=False)
    assert "1 pictures translated r2s by models/gan/3/F.safetensors" in capsys.readouterr().out
    assert read(tmp_path / "eyes-r2s/eye.png").shape == (HEIGHT, WIDTH)
    app(
        ["estimate-gaze", "eyes/eye.jpg", "--model", "mine.safetensors", "--out", "gaze"],
        standalone_mode=False,
    )
    assert "1 pictures estimated by mine.safetensors" in capsys.readouterr().out
    assert list(table(tmp_path / "gaze/gaze.csv")) == ["eye.jpg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("translate --direction s2r --flip --out x", "--out, --flip: only for PICTURES"),
        ("translate . --direction s2r --seed 0 --out x", "--seed: not for PICTURES"),
        ("translate . --direction r2s --out x", "models/gan/0/F.safetensors: no such model"),
        ("translate . --direction r2s --out x --model c.safetensors", "--set eyes.color=true"),
        ("estimate-gaze . --out x", "models/gaze-translated/0/gazenet.safetensors: no such model"),
    ],
)
def test_mistakes_are_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, message: str
) -> None:
    (tmp_path / "params.yaml").write_text("{}")
    weights = {"channels": 3, "filters": 4, "residual_blocks": 1}
    save_network(tmp_path / "c.safetensors", Generator(**weights), weights)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        app(arguments.split(), standalone_mode=False)
