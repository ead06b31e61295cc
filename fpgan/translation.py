"""A trained generator over an eye set or a folder of pictures."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgan.datasets.pictures import PictureShape
from fpgan.errors import InputError
from fpgan.eyes import (
    Eyes,
    EyeWriter,
    count_eyes,
    equalize,
    is_equalized,
    join_eyes,
    open_eyes,
    read_batches,
    stored_labels,
)
from fpgan.networks.generator import Generator
from fpgan.networks.inference import stream_translations
from fpgan.picture_folder import FolderResult, run_over_folder

SHOWN = 16  # eyes that are kept to be looked at


@dataclass(frozen=True)
class TranslatedSet:
    """What became of an eye set: how many eyes, and some of them, spread over the set, to look at."""

    count: int
    before: Eyes
    after: Eyes


def translate_eye_set(
    generator: Generator,
    source: Path,
    output: Path,
    batch_size: int,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> TranslatedSet:
    """Translates every eye of a prepared set into a new set with the same labels, rows and order.

    The generator sees equalised pictures, and its own are stored as they are: the new set is marked
    equalised. Memory does not grow with the set. `progress` is told the number of eyes done and of all.
    Raises InputError as `load_eyes` does.
    """
    with open_eyes(source) as file:
        total = count_eyes(file)
        if not total:
            raise InputError(f"{source}: holds no eyes")
        already = is_equalized(file)
        shown = np.linspace(0, total - 1, min(SHOWN, total)).astype(int)
        kept: list[tuple[Eyes, Eyes]] = []
        done = 0

        def prepare(eyes: Eyes) -> tuple[Eyes, NDArray[np.uint8]]:
            seen = eyes if already else eyes.with_images(equalize(eyes.image))
            return seen, seen.image

        with (
            EyeWriter(output, labels=stored_labels(source, file), equalized=True) as writer,
            closing(
                stream_translations(generator, read_batches(source, file, batch_size), prepare)
            ) as translations,
        ):
            for before, images in translations:
                after = before.with_images(images)
                writer.extend(after)
                rows = shown[(shown >= done) & (shown < done + len(before))] - done
                if len(rows):
                    kept.append((before.select(rows), after.select(rows)))
                done += len(before)
                if progress is not None:
                    progress(done, total)
    befores, afters = zip(*kept, strict=True)
    return TranslatedSet(total, join_eyes(befores), join_eyes(afters))


def translate_folder(
    generator: Generator,
    source: Path,
    output: Path,
    shape: PictureShape,
    *,
    flip: bool,
    batch_size: int,
    progress: Callable[[int, int], object] | None = None,
) -> FolderResult:
    """Translates a user's pictures, each as a PNG of the wanted shape, listed in translations.csv.

    With `flip` they are mirrored before and their translations mirrored back. Raises InputError as
    `run_over_folder` does.
    """
    return run_over_folder(
        stream_translations,
        generator,
        partial(_as_it_was, flip),
        source,
        output,
        shape,
        table="translations.csv",
        columns=(),
        flip=flip,
        batch_size=batch_size,
        progress=progress,
    )


def _as_it_was(flip: bool, _: NDArray[np.uint8], translation: NDArray[np.uint8]) -> tuple[NDArray, Sequence]:
    return translation[:, ::-1] if flip else translation, ()
