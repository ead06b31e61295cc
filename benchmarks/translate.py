"""Measures how much slower a whole translation is than the generator alone, and its memory.

    python benchmarks/translate.py
    python benchmarks/translate.py --threads 1 --batch-size 64 --rounds 15

Each round times, in turns and in one process so that a busy machine slows all equally: the bare generator on
a batch that is already on its device; a whole eye set, from HDF5 to HDF5; a folder of PNG pictures; and the
writing alone of equally many files of that size, which shows the speed of the disk (chosen by TMPDIR).
Prints eyes per second in the fastest round, and their ratio to the bare generator's: near 1, only the
generator takes time. Then the ratio in single rounds: median, smallest and largest. The ratio by CPU time
counts the work of all threads but not that of other programs; on a GPU it is meaningless. On a CPU the bare
generator runs in ONNX Runtime, as in translation, and PyTorch's rate is printed too. Building that network
takes time once, which matters less the more eyes there are. `--bf16` shows the speed of PyTorch in bf16, and
the change in grey levels.

Memory is the largest resident size of a separate process that translates N and 10 N eyes.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil
import torch
from torch import Tensor, nn

from fpgan.data.eye_set import new_eye_set
from fpgan.data.eyes import LANDMARKS, Eyes
from fpgan.data.pictures import bytes_to_input, output_to_pictures, pictures_to_bytes
from fpgan.device import default_device
from fpgan.networks.generator import Generator
from fpgan.networks.onnx_runtime import InOnnxRuntime
from fpgan.own_pictures.translating import translate_folder
from fpgan.params import EyePicture
from fpgan.translation import translate_eye_set

HEIGHT, WIDTH = 36, 60
SIZES = {"demo": {"filters": 16, "residual_blocks": 4}, "paper": {"filters": 64, "residual_blocks": 6}}


def make_eyes(count: int, seed: int = 0) -> Eyes:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 6, 10), dtype=np.uint8)
    return Eyes(
        np.stack([cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) for picture in coarse]),
        random.normal(0, 0.2, (count, 2)).astype(np.float32),
        random.normal(0, 0.2, (count, 2)).astype(np.float32),
        random.uniform(0, 60, (count, LANDMARKS, 2)).astype(np.float32),
        np.array([f"p{i * 15 // count:02d}" for i in range(count)]),
    )


def write_set(path: Path, eyes: int) -> None:
    """Writes a set of `eyes` eyes, in parts."""
    part = make_eyes(min(eyes, 2000))
    with new_eye_set(path) as writer:
        for start in range(0, eyes, len(part)):
            writer.extend(part.select(slice(0, eyes - start)))


def write_pictures(folder: Path, count: int) -> None:
    folder.mkdir()
    for number, picture in enumerate(make_eyes(count).image):
        cv2.imwrite(str(folder / f"{number}.png"), picture)


def make_generator(name: str) -> Generator:
    torch.manual_seed(0)
    return Generator(1, **SIZES[name]).eval().to(default_device())


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Elapsed time, and CPU time, of the work."""
    start, began = time.perf_counter(), time.process_time()
    work()
    if default_device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start, time.process_time() - began


def bare(generator: nn.Module, inputs: Tensor, batches: int) -> Callable[[], None]:
    @torch.inference_mode()
    def run() -> None:
        for _ in range(batches):
            generator(inputs)

    return run


def in_bf16(generator: nn.Module, inputs: Tensor, batches: int) -> Callable[[], None]:
    run = bare(generator, inputs, batches)

    def autocast() -> None:
        with torch.autocast(default_device().type, dtype=torch.bfloat16):
            run()

    return autocast


def grey_levels(one: Tensor, other: Tensor) -> int:
    """The largest difference between the pictures of two outputs."""
    pictures = (output_to_pictures(output).int() for output in (one, other))
    return int((next(pictures) - next(pictures)).abs().max())


def compare(name: str, batch_size: int, arguments: argparse.Namespace, folder: Path) -> None:
    """Prints the rates of one generator for one batch size."""
    generator = make_generator(name)
    eyes = arguments.eyes if name == "demo" else max(batch_size, arguments.eyes // 16)
    batches = -(-eyes // batch_size)
    eyes = batches * batch_size
    write_set(folder / "eyes.h5", eyes)
    pictures = folder / f"pictures-{eyes}"
    if not pictures.exists():
        write_pictures(pictures, eyes)
    inputs = bytes_to_input(pictures_to_bytes(make_eyes(batch_size).image).to(default_device()))

    made = folder / "made"

    def translate_pictures() -> None:
        shape = EyePicture(width=WIDTH, height=HEIGHT)
        translate_folder(generator, pictures, made, shape, flip=False, batch_size=batch_size)

    def write_files() -> None:
        made.mkdir()
        for number in range(eyes):
            (made / f"{number}.png").write_bytes(bytes(HEIGHT * WIDTH))

    on_gpu = default_device().type == "cuda"
    fastest = generator if on_gpu else InOnnxRuntime(generator, inputs)
    work: dict[str, Callable[[], object]] = {
        "bare generator": bare(fastest, inputs, batches),
        "eye set": lambda: translate_eye_set(
            generator, folder / "eyes.h5", folder / "translated.h5", batch_size
        ),
        "folder": translate_pictures,
        "files alone": write_files,
    }
    print(f"{name}'s generator, batches of {batch_size}, {eyes} eyes")
    with torch.inference_mode():
        plain = generator(inputs)
    if arguments.bf16:
        with torch.inference_mode(), torch.autocast(default_device().type, dtype=torch.bfloat16):
            print(f"  bf16 changes up to {grey_levels(generator(inputs), plain)} grey levels")
        work["in bf16"] = in_bf16(generator, inputs, batches)
    if not on_gpu:
        print(f"  ONNX Runtime changes up to {grey_levels(fastest(inputs), plain)} grey levels")
        work["PyTorch"] = bare(generator, inputs, batches)
    taken: dict[str, list[tuple[float, float]]] = {kind: [] for kind in work}
    for turn in range(arguments.rounds + 1):  # in the first, which is not counted, libraries initialise
        for kind, run in work.items():
            shutil.rmtree(made, ignore_errors=True)
            spent = seconds(run)
            if turn:
                taken[kind].append(spent)
    best, least = np.array(taken["bare generator"]).T
    for kind, spent in taken.items():
        passed, processor = np.array(spent).T
        shares = best / passed
        print(
            f"  {kind:16s} {eyes / passed.min():9.0f} eyes/s  {best.min() / passed.min():5.2f} "
            f"(rounds {np.median(shares):.2f}, {shares.min():.2f} to {shares.max():.2f}), "
            f"by CPU time {least.min() / processor.min():5.2f}",
            flush=True,
        )


def print_memory(source: Path) -> None:
    """Run in a separate process: translates a set with the demo's generator, and prints the memory used."""
    memory = psutil.Process().memory_info
    resident = [memory().rss]
    translate_eye_set(
        make_generator("demo"),
        source,
        source.with_name("translated.h5"),
        256,
        progress=lambda done, total: resident.append(memory().rss),
    )
    print(f"at most {max(resident) >> 20} MiB resident, {resident[0] >> 20} MiB before")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--eyes", type=int, default=4096, help="number for the demo's generator; a 16th of it for the paper's"
    )
    parser.add_argument("--batch-size", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--generator", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory:
        print_memory(arguments.memory)
        return
    print(f"{default_device()}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in arguments.generator:
            for batch_size in arguments.batch_size:
                compare(name, batch_size, arguments, folder)
        for times in (1, 10):
            source = folder / "many.h5"
            write_set(source, arguments.eyes * times)
            command = [sys.executable, __file__, "--memory", str(source), "--threads", str(arguments.threads)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
            print(f"memory, {arguments.eyes * times:8d} eyes: {printed}", flush=True)


if __name__ == "__main__":
    main()
