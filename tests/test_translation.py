"""Translation of eye sets: the same eye by eye, in constant memory, with no incomplete output."""

import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
import torch
from conftest import HEIGHT, WIDTH, draw_eyes
from torch import Tensor

from fpgan.data.eye_set import load_eyes, new_eye_set, open_eyes, read_batches, save_eyes
from fpgan.data.eyes import LANDMARKS, Eyes, equalize
from fpgan.errors import InputError
from fpgan.networks.generator import Generator
from fpgan.networks.inference import translate_pictures
from fpgan.networks.onnx_runtime import InOnnxRuntime
from fpgan.parallel import AHEAD, ahead, map_ahead
from fpgan.translation import SHOWN, translate_eye_set


class Negative(Generator):
    """Inverts pictures, which takes no time."""

    def __init__(self) -> None:
        super().__init__(1, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return -x


def several_people(count: int) -> Eyes:
    """Eyes of three persons; the landmarks of the second are unknown."""
    eyes = draw_eyes(count, seed=0)
    person = np.array(["p00"] * (count // 2) + ["p01"] * (count // 8) + ["p02"] * count)[:count]
    landmarks = np.where((person == "p01")[:, None, None], np.nan, eyes.landmarks).astype(np.float32)
    return replace(eyes, person=person, landmarks=landmarks, head=np.full_like(eyes.head, np.nan))


@pytest.mark.parametrize("batch_size", [1, 7, 100, 5000])
def test_a_set_read_in_batches_is_the_whole_set(tmp_path: Path, batch_size: int) -> None:
    eyes = several_people(700)
    save_eyes(tmp_path / "eyes.h5", eyes, equalized=True)
    with open_eyes(tmp_path / "eyes.h5") as file:
        batches = list(read_batches(tmp_path / "eyes.h5", file, batch_size))
    assert {len(batch) for batch in batches[:-1]} <= {batch_size}
    for name in ("image", "gaze", "head", "landmarks", "person"):
        together = np.concatenate([getattr(batch, name) for batch in batches])
        np.testing.assert_array_equal(together, getattr(eyes, name), err_msg=name)


def test_eyes_added_together_are_stored_as_eyes_added_one_by_one(tmp_path: Path) -> None:
    eyes = several_people(700)
    mixed = eyes.select(np.random.default_rng(0).permutation(len(eyes)))
    with new_eye_set(tmp_path / "one.h5") as writer:
        for i in range(len(mixed)):
            writer.extend(mixed.select(slice(i, i + 1)))
    with new_eye_set(tmp_path / "together.h5") as writer:
        for start in range(0, len(mixed), 150):
            writer.extend(mixed.select(slice(start, start + 150)))
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "together.h5").read_bytes()


@pytest.mark.parametrize("equalized", [False, True])
def test_a_translated_set_is_the_network_applied_to_every_eye(tmp_path: Path, equalized: bool) -> None:
    torch.manual_seed(0)
    generator = Generator(1, 4, 1).train(not equalized)
    eyes = several_people(75)
    save_eyes(tmp_path / "eyes.h5", eyes, equalized=equalized)
    made = translate_eye_set(generator, tmp_path / "eyes.h5", tmp_path / "out.h5", batch_size=16)
    assert generator.training is not equalized
    after = load_eyes(tmp_path / "out.h5")
    before = eyes.image if equalized else equalize(eyes.image)
    at_once = translate_pictures(InOnnxRuntime(generator, torch.zeros(2, 1, 32, 32)), before, batch_size=16)
    np.testing.assert_array_equal(after.image, at_once)
    one_by_one = np.concatenate([translate_pictures(generator, eye[None]) for eye in before])
    differences = np.abs(after.image.astype(int) - one_by_one)
    assert differences.max() <= 1  # the order of sums may differ in a batch and in ONNX Runtime
    assert differences.mean() < 0.001
    for label in ("gaze", "head", "landmarks", "person"):
        np.testing.assert_array_equal(getattr(after, label), getattr(eyes, label))
    with h5py.File(tmp_path / "out.h5") as file:
        assert set(file["p01"]) == {"image", "gaze", "landmarks"}  # no head pose is known
    assert made.count == 75
    rows = np.linspace(0, 74, SHOWN).astype(int)
    np.testing.assert_array_equal(made.before.image, before[rows])
    np.testing.assert_array_equal(made.after.image, after.image[rows])


def test_memory_does_not_grow_with_the_set(tmp_path: Path) -> None:
    peaks = []
    for times in (2, 10):
        with new_eye_set(tmp_path / "eyes.h5") as writer:
            for _ in range(times):
                writer.extend(draw_eyes(500, seed=0))
        tracemalloc.start()
        translate_eye_set(Negative(), tmp_path / "eyes.h5", tmp_path / "out.h5", batch_size=64)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert 4000 * HEIGHT * WIDTH > 2_000_000  # additional bytes of pictures
    assert peaks[1] - peaks[0] < 500_000


def print_growth(source: Path) -> None:
    """Run in a separate process: prints its growth in MiB after the first batches."""
    memory = psutil.Process().memory_info
    resident: list[int] = []
    torch.set_num_threads(1)
    translate_eye_set(
        Generator(1, 2, 1),
        source,
        source.with_name("out.h5"),
        128,
        progress=lambda done, total: resident.append(memory().rss),
    )
    print((max(resident) - max(resident[:10])) >> 20)


def test_memory_does_not_grow_with_the_number_of_persons(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    with new_eye_set(tmp_path / "eyes.h5", labels=["landmarks"]) as writer:
        for person in range(80):
            writer.extend(
                Eyes(
                    random.integers(0, 256, (300, 36, 60), dtype=np.uint8),
                    np.zeros((300, 2), np.float32),
                    np.zeros((300, 2), np.float32),
                    np.zeros((300, LANDMARKS, 2), np.float32),
                    np.full(300, f"p{person:02d}"),
                )
            )
    command = [
        sys.executable,
        "-c",
        "import sys, test_translation as t; t.print_growth(t.Path(sys.argv[1]))",
    ]
    printed = subprocess.run(
        [*command, tmp_path / "eyes.h5"],
        cwd=Path(__file__).parent,
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(printed.stdout) < 60


def test_a_translation_that_ends_early_leaves_no_file_and_no_thread(tmp_path: Path) -> None:
    save_eyes(tmp_path / "eyes.h5", draw_eyes(200, seed=0), equalized=False)
    threads = threading.active_count()

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate_eye_set(Negative(), tmp_path / "eyes.h5", tmp_path / "out.h5", 8, progress=interrupt)
    with pytest.raises(InputError, match="no such file"):
        translate_eye_set(Negative(), tmp_path / "none.h5", tmp_path / "out.h5", 8)
    assert [path.name for path in tmp_path.iterdir()] == ["eyes.h5"]
    assert threading.active_count() == threads


def test_items_made_ahead_are_few_and_in_order() -> None:
    made = 0

    def numbers() -> Iterator[int]:
        nonlocal made
        for number in range(50):
            made += 1
            yield number

    seen = []
    with closing(ahead(numbers())) as items:
        for item in items:
            seen.append(item)
            assert made <= len(seen) + AHEAD
    assert seen == list(range(50))
    made = 0
    seen = []
    for item in map_ahead(lambda number: number**2, numbers(), threads=3):
        seen.append(item)
        assert made <= len(seen) + 3 * AHEAD
    assert seen == [number**2 for number in range(50)]


def test_an_error_ahead_is_raised_in_its_turn() -> None:
    def two_then_fail() -> Iterator[int]:
        yield 1
        yield 2
        raise InputError("damaged")

    seen = []
    with pytest.raises(InputError, match="damaged"):
        seen.extend(ahead(two_then_fail()))
    assert seen == [1, 2]
    with pytest.raises(ZeroDivisionError):
        list(map_ahead(lambda number: 1 // number, [1, 0, 1], threads=2))
