"""Translates an eye set with a trained generator."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgan.data.eye_set import count_eyes, is_equalized, new_eye_set, open_eyes, read_batches, stored_labels
from fpgan.data.eyes import Eyes, equalize, join_eyes, spread_rows
from fpgan.errors import InputError
from fpgan.networks.generator import Generator
from fpgan.networks.inference import stream_translations

SHOWN = 16  # eyes that are returned, to be looked at


@dataclass(frozen=True)
class TranslatedSet:
    """A translated eye set: the number of eyes, and some of them, spread over the set, to look at."""

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

    The generator gets equalised pictures. Its translations are stored unchanged, and the new set is marked
    as equalised. Memory does not grow with the set. `progress` receives the numbers of translated eyes and of
    all eyes. Raises InputError like `load_eyes`.
    """
    with open_eyes(source) as file:
        total = count_eyes(file)
        if not total:
            raise InputError(f"{source}: holds no eyes")
        already = is_equalized(file)
        shown = spread_rows(total, SHOWN)
        kept: list[tuple[Eyes, Eyes]] = []
        done = 0

        def prepare(eyes: Eyes) -> tuple[Eyes, NDArray[np.uint8]]:
            equalized = eyes if already else eyes.with_images(equalize(eyes.image))
            return equalized, equalized.image

        with (
            new_eye_set(output, labels=stored_labels(source, file), equalized=True) as writer,
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
