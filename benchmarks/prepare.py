"""Speed and memory of the preparation of both raw formats.

    python benchmarks/prepare.py
    python benchmarks/prepare.py --unityeyes DIR --mpiifacegaze DIR

Without a folder, sample data is rendered into a temporary one. Each round reads every JPEG by cv2.imread,
in the same number of processes, and then prepares the same pictures: other load on the machine affects both
times, so compare their ratio, the median over the rounds. Both times include the start of the processes.
Above 1, preparation is faster than reading, because it decodes JPEGs at a reduced size.

Memory is the peak of all processes together, with shared pages counted once (PSS). It should be the same for
four times as many pictures.

The pictures are copied to the temporary folder, and each is listed several times.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import psutil

from fpgan.data.datasets import prepare
from fpgan.data.entry import DataSet
from fpgan.data.mpiifacegaze import MPIIFACEGAZE
from fpgan.data.preparation_report import Report
from fpgan.data.unityeyes import UNITYEYES
from fpgan.parallel import available_cpus, map_in_order
from fpgan.params import EyePicture, PrepareMPIIFaceGaze, PrepareUnityEyes
from fpgan.sample.write_mpiifacegaze import write_mpiifacegaze
from fpgan.sample.write_unityeyes import write_unityeyes

READ_AT_ONCE = 64  # pictures that a process takes at a time
SAMPLED = 0.05  # seconds between two measurements of memory


def read_plainly(paths: list[str]) -> int:
    """Reads pictures; returns the number of decoded bytes."""
    return sum(cv2.imread(path).nbytes for path in paths)


def render(folder: Path, pictures: int) -> None:
    """Writes sample pictures in both formats, MPIIFaceGaze's of three persons."""
    write_unityeyes(folder / "UnityEyes", pictures, 0)
    write_mpiifacegaze(folder / "MPIIFaceGaze", 3, -(-pictures // 3), 0)


def gather_unityeyes(source: Path, target: Path, pictures: int, repeats: int) -> list[str]:
    """Copies the first pictures of a UnityEyes folder and links each under several numbers."""
    images = source / "imgs" if (source / "imgs").is_dir() else source
    (target / "imgs").mkdir(parents=True)
    originals = sorted(images.glob("*.jpg"), key=lambda path: (len(path.name), path.name))[:pictures]
    paths = []
    for copy in range(repeats):
        for number, original in enumerate(originals):
            name = target / "imgs" / str(copy * len(originals) + number + 1)
            for suffix in (".jpg", ".json"):
                if copy == 0:
                    shutil.copyfile(original.with_suffix(suffix), name.with_suffix(suffix))
                else:
                    os.link(target / "imgs" / f"{number + 1}{suffix}", name.with_suffix(suffix))
            paths.append(str(name.with_suffix(".jpg")))
    return paths


def gather_mpiifacegaze(source: Path, target: Path, pictures: int, repeats: int) -> list[str]:
    """Copies the first pictures of each person and lists them several times in the annotation."""
    persons = sorted(source.glob("p[0-9][0-9]"))
    paths = []
    for person in persons:
        home = target / person.name
        home.mkdir(parents=True)
        shutil.copytree(person / "Calibration", home / "Calibration")
        lines = (person / f"{person.name}.txt").read_text().splitlines()[: max(1, pictures // len(persons))]
        for line in lines:
            name = line.split()[0]
            (home / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(person / name, home / name)
        (home / f"{person.name}.txt").write_text("\n".join(lines * repeats) + "\n")
        paths += [str(home / line.split()[0]) for line in lines * repeats]
    return paths


@contextmanager
def peak_memory() -> Iterator[Callable[[], int]]:
    """Yields a function that returns the peak memory of this process and its children together, in bytes."""
    here, done, highest = psutil.Process(), threading.Event(), 0

    def watch() -> None:
        nonlocal highest
        while not done.wait(SAMPLED):
            held = 0
            for process in (here, *here.children(recursive=True)):
                try:
                    held += process.memory_full_info().pss
                except psutil.Error:  # it has just ended
                    continue
            highest = max(highest, held)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: highest
    finally:
        done.set()
        watcher.join()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(
    data_set: DataSet,
    source: Path,
    paths: list[str],
    picture: EyePicture,
    params: PrepareUnityEyes | PrepareMPIIFaceGaze,
    rounds: int,
    workers: int,
) -> None:
    """Prints the speed of preparing a folder, beside that of reading its pictures."""
    chunks = [paths[at : at + READ_AT_ONCE] for at in range(0, len(paths), READ_AT_ONCE)]
    output = source / "eyes.h5"

    def prepare_once() -> Report:
        return prepare(data_set, source, output, picture, params, workers=workers)

    eyes = prepare_once().eyes
    plain, prepared = [], []
    for _ in range(rounds):
        plain.append(seconds(lambda: list(map_in_order(read_plainly, chunks, workers))))
        prepared.append(seconds(prepare_once))
    ratios = [one / other for one, other in zip(plain, prepared, strict=True)]
    ratio = statistics.median(ratios)
    print(f"  {len(paths)} pictures, {eyes} eyes, {workers} processes, {rounds} rounds")
    print(f"  plain cv2.imread    {len(paths) / statistics.median(plain):8.0f} pictures/s")
    print(f"  preparation         {len(paths) / statistics.median(prepared):8.0f} pictures/s")
    print(f"                      {eyes / statistics.median(prepared):8.0f} eyes/s")
    print(
        f"  ratio, median       {ratio:8.2f} pictures to pictures  ({min(ratios):.2f} to {max(ratios):.2f})"
    )
    print(f"                      {ratio * eyes / len(paths):8.2f} eyes to pictures")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--unityeyes", type=Path, help="a UnityEyes folder (default: rendered)")
    parser.add_argument("--mpiifacegaze", type=Path, help="an MPIIFaceGaze folder (default: rendered)")
    parser.add_argument("--pictures", type=int, default=300, help="different pictures of each format")
    parser.add_argument("--repeats", type=int, default=5, help="how often each is prepared")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=available_cpus())
    parser.add_argument("--color", action="store_true")
    options = parser.parse_args()
    picture = EyePicture(color=options.color)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if not (options.unityeyes and options.mpiifacegaze):
            # In a process of its own: the memory it frees would make plain reading here unusually fast.
            renderer = multiprocessing.get_context("spawn").Process(
                target=render, args=(folder / "rendered", options.pictures)
            )
            renderer.start()
            renderer.join()
        for name, data_set, gather, params in (
            ("UnityEyes", UNITYEYES, gather_unityeyes, PrepareUnityEyes()),
            ("MPIIFaceGaze", MPIIFACEGAZE, gather_mpiifacegaze, PrepareMPIIFaceGaze()),
        ):
            source = getattr(options, name.lower()) or folder / "rendered" / name
            print(f"{name}: {json.dumps(str(source))}", flush=True)
            paths = gather(source, folder / name, options.pictures, options.repeats)
            compare(data_set, folder / name, paths, picture, params, options.rounds, options.workers)
            for times in (1, 4):
                many = folder / f"{name}-{times}"
                count = len(gather(source, many, options.pictures, options.repeats * times))
                with peak_memory() as peak:
                    prepare(data_set, many, folder / "eyes.h5", picture, params, workers=options.workers)
                print(f"  memory              {peak() / 2**20:8.0f} MiB at most, {count} pictures")


if __name__ == "__main__":
    main()
