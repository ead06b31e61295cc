"""A network applied to a folder of a user's own eye pictures: an output picture and a table row for each."""

import csv
import os
from collections import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count, groupby, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import nn

from fpgan.data.coding import encode_picture
from fpgan.data.cropping import fit_picture
from fpgan.data.eyes import equalize
from fpgan.data.preparation_report import SHOWN, BadSample, SampleError
from fpgan.device import device_of
from fpgan.errors import InputError
from fpgan.files.output_folder import output_folder
from fpgan.networks.inference import Spread
from fpgan.own_pictures.reading import is_cut_off, list_pictures, read_picture
from fpgan.parallel import available_cpus, map_ahead, map_in_order
from fpgan.params import EyePicture

ONE_BLOCK = 3840  # bytes; the PNG of a smaller picture takes one disk block, compressed or not
PROCESSES = 4  # that read for a GPU, and as many that write: one process manages 5000 pictures per second
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class UserPicture:
    """A picture of the folder."""

    name: str
    """Relative to the folder."""
    target: str
    """Name of the output picture."""
    picture: Picture | None
    """The network's input before equalisation; None where the picture could not be read."""
    cut_off: bool
    problem: BadSample | None


Chunk = list[UserPicture]
Stream = Callable[
    [Any, Iterable[Any], Callable[[Any], tuple[Chunk, Picture]], Spread],
    abc.Generator[tuple[Chunk, NDArray[Any]], None, None],
]
"""A function of `fpgan.networks.inference`."""


@dataclass
class FolderResult:
    """Counts of a folder's pictures."""

    read: int = 0
    cut_off: int = 0
    """Pictures that lost more than a tenth of their width or height because of their shape."""
    bad: int = 0
    first_bad: list[BadSample] = field(default_factory=list)

    def in_words(self, shape: EyePicture, table: Path, done: str, *, flip: bool) -> str:
        """A line about the whole folder, then lines about pictures that were cut or could not be read."""
        mirrored = ", mirrored before and back after" if flip else ""
        return "\n".join(
            [
                f"{table.parent}: {self.read} pictures {done}, seen as {shape}{mirrored}; listed in {table}",
                *self.remarks(shape, table),
            ]
        )

    def remarks(self, shape: EyePicture, table: Path) -> list[str]:
        """Lines about pictures that were cut or could not be read."""
        lines = []
        if self.cut_off:
            size = f"{shape.width} x {shape.height}"
            lines.append(f"{self.cut_off} cut to their middle, because their shape is not {size}")
        if self.bad:
            lines += [f"{self.bad} could not be read, see {table}:", *self.bad_lines()]
        return lines

    def bad_lines(self) -> list[str]:
        """One line for each of the first unreadable pictures, and one line for the rest."""
        lines = [f"  {sample}" for sample in self.first_bad]
        return [*lines, f"  and {self.bad - SHOWN} more"] if self.bad > SHOWN else lines


def run_over_folder(
    stream: Stream,
    network: nn.Module,
    use: Callable[[Picture, NDArray[Any]], tuple[Picture, Sequence[str]]],
    source: Path,
    output: Path,
    shape: EyePicture,
    *,
    table: str,
    columns: Sequence[str],
    flip: bool,
    batch_size: int,
    progress: Callable[[int, int], object] | None = None,
) -> FolderResult:
    """Applies a network to the pictures of a folder, or to a single picture, and writes the results of `use`.

    `use`, which can be pickled, receives the network's input before equalisation and the network's answer;
    it returns a picture to write as PNG and the values for `columns`. With `flip` the network's input is
    mirrored. In the new folder `output` the pictures keep their names and subfolders, but end in .png; where
    two would get the same name, one also keeps its old ending. The CSV file `table` has one line per
    picture, including unreadable ones: file, picture, columns, problem. Memory does not grow with the number
    of pictures. `progress` receives the number of pictures done and of all. Raises InputError when no
    picture can be read, or when `output` is not new or lies in the folder.
    """
    root, names = _find(source, output)
    total = sum(1 for _ in names())
    if not total:
        raise InputError(f"{source}: holds no PNG or JPEG pictures")
    result = FolderResult()
    with output_folder(output) as folder:
        prepare = partial(_read, root, shape, flip)
        write = partial(_write, folder, use)
        spread = _spread(network)
        with (
            (folder / table).open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
            closing(stream(network, _chunks(_targets(names()), batch_size), prepare, spread)) as answers,
            closing(spread(write, answers)) as written,
        ):
            writer = csv.writer(file)
            writer.writerow(["file", "picture", *columns, "problem"])
            for chunk, values in written:
                for eye, row in zip(chunk, values, strict=True):
                    if eye.problem is None:
                        writer.writerow([eye.name, eye.target, *row, ""])
                    else:
                        writer.writerow([eye.name, "", *[""] * len(columns), eye.problem.reason])
                _count(result, chunk)
                if progress is not None:
                    progress(result.read + result.bad, total)
        if not result.read:
            raise InputError(
                "\n".join([f"{source}: none of {total} pictures can be read:", *result.bad_lines()])
            )
    return result


def _spread(network: nn.Module) -> Spread:
    """The way of reading and writing pictures while a network runs: by threads or by processes."""
    if device_of(network).type == "cpu":  # the network uses all its cores
        return partial(map_ahead, threads=1)
    return partial(map_in_order, workers=min(PROCESSES, available_cpus()))


def _find(source: Path, output: Path) -> tuple[Path, Callable[[], Iterator[str]]]:
    """The folder of the names, without links, and a function that lists them."""
    if source.is_file():
        return source.parent.resolve(), lambda: iter([source.name])
    root = source.resolve()
    if not root.is_dir():
        raise InputError(f"{source}: no such file or folder; expected eye pictures, PNG or JPEG")
    if output.resolve().is_relative_to(root):
        raise InputError(f"{output}: lies in the folder of pictures; name another place")
    return root, lambda: list_pictures(root)


def _targets(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each name with the name of its PNG: the same with another ending, but unique."""
    for _, group in groupby(names, os.path.dirname):
        together = list(group)
        taken: set[str] = set()
        targets = {}
        for name in sorted(together, key=lambda name: not name.endswith(".png")):
            choices = chain(
                [f"{os.path.splitext(name)[0]}.png", f"{name}.png"], (f"{name}-{n}.png" for n in count(2))
            )
            targets[name] = next(choice for choice in choices if choice.casefold() not in taken)
            taken.add(targets[name].casefold())  # some file systems ignore case
        yield from ((name, targets[name]) for name in together)


def _chunks(names: Iterator[tuple[str, str]], size: int) -> Iterator[list[tuple[str, str]]]:
    return iter(lambda: list(islice(names, size)), [])


def _read(
    root: Path, shape: EyePicture, flip: bool, chunk: list[tuple[str, str]]
) -> tuple[list[UserPicture], Picture]:
    eyes = []
    for name, target in chunk:
        try:
            picture = read_picture(root, name)
            if flip:
                picture = np.ascontiguousarray(picture[:, ::-1])
            fitted, crop = fit_picture(picture, shape)
            eyes.append(UserPicture(name, target, fitted, is_cut_off(picture, crop), None))
        except SampleError as error:
            eyes.append(UserPicture(name, target, None, False, error.sample))
    seen = [eye.picture for eye in eyes if eye.picture is not None]
    return eyes, equalize(np.array(seen, np.uint8).reshape(-1, *shape.shape))


def _write(
    folder: Path,
    use: Callable[[Picture, NDArray[Any]], tuple[Picture, Sequence[str]]],
    answered: tuple[Chunk, NDArray[Any]],
) -> tuple[Chunk, list[Sequence[str]]]:
    """Writes the pictures; returns the values of each, no values for an unreadable one."""
    chunk, answers = answered
    values: list[Sequence[str]] = []
    rest = iter(answers)
    path = ""
    try:
        for below in {os.path.dirname(eye.target) for eye in chunk}:
            path = os.path.join(folder, below)
            os.makedirs(path, exist_ok=True)
        for eye in chunk:
            if eye.picture is None:
                values.append(())
                continue
            picture, row = use(eye.picture, next(rest))
            values.append(row)
            path = os.path.join(folder, eye.target)
            how = [] if picture.nbytes > ONE_BLOCK else [cv2.IMWRITE_PNG_COMPRESSION, 0]
            with open(path, "wb") as file:
                file.write(encode_picture(picture, ".png", how))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    return chunk, values


def _count(result: FolderResult, chunk: Chunk) -> None:
    bad = [eye.problem for eye in chunk if eye.problem is not None]
    result.read += len(chunk) - len(bad)
    result.cut_off += sum(eye.cut_off for eye in chunk)
    result.bad += len(bad)
    result.first_bad += bad[: SHOWN - len(result.first_bad)]
