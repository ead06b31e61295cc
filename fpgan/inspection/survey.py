"""A survey of a data set without preparing all of it: counts of everything, pictures of a random part."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgan.data.datasets import prepare, recognize
from fpgan.data.entry import DataSet
from fpgan.data.eye_set import is_equalized, open_eyes, person_groups, read_blocks
from fpgan.data.eyes import Eyes, equalize, join_eyes
from fpgan.data.preparation_report import BadSample, SampleError
from fpgan.data.raw_files import read_jpeg
from fpgan.errors import InputError
from fpgan.params import Params

READ = 2000  # samples of a raw folder that are read by default
IN_MEMORY = 4000  # eyes
SIZES = 200  # raw pictures whose size is read
FLAT = 4  # standard deviation, in grey levels, below which a picture shows nothing
BLACK = 8  # mean grey level below which a picture shows nothing
LENIENT = {"max_bad_fraction": 1.0}  # a survey counts broken samples, however many there are


@dataclass(frozen=True)
class Survey:
    """A data set: its files, the samples read, and eyes drawn from these at random."""

    source: str
    data_set: DataSet
    counts: dict[str, int]
    """Samples per person, of the whole set."""
    missing: list[str]
    """Files of a raw folder that belong to another file and are absent."""
    read: int
    """Samples read."""
    bad: list[BadSample]
    """Samples among those read that cannot be used."""
    raw_sizes: dict[str, int]
    """Numbers of pictures per size, among a few of a raw folder."""
    eyes_read: int
    """Eyes in the samples read; the numbers below are about these."""
    duplicates: int
    """Eyes whose picture equals an earlier one pixel by pixel."""
    flat: int
    """Eyes whose picture is black or of one grey."""
    labels: dict[str, NDArray[np.float32]]
    """gaze and head (N, 2) where known, radians."""
    landmarks: int
    """Eyes with landmarks."""
    eyes: Eyes
    """At most 4 000 of the eyes read, with equalised pictures."""

    @property
    def samples(self) -> int:
        return sum(self.counts.values())


def survey(
    source: Path,
    params: Params,
    *,
    everything: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Survey:
    """Surveys a raw folder or an HDF5 eye set.

    Of a raw folder 2 000 samples, drawn at random, are prepared as `params` say, with `everything` all of
    them; samples outside the ranges in `params` count too. An HDF5 set is read whole, and its pictures keep
    their size. `progress` receives the number of samples done and of all. Raises InputError when the source
    is not a data set, or when nothing in it can be used.
    """
    data_set = recognize(source)
    if data_set.contents is None or data_set.section is None:
        return _survey_eye_set(source, data_set, progress)
    contents = data_set.contents(source)
    section = getattr(params, data_set.section)
    keep_all = LENIENT | dict.fromkeys(data_set.filters)
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "eyes.h5"
        report = prepare(
            data_set,
            source,
            prepared,
            params.eyes,
            section.model_copy(update=keep_all),
            at_most=None if everything else READ,
            progress=progress,
        )
        return replace(
            _survey_eye_set(prepared, data_set, None),
            source=str(source),
            counts=contents.counts,
            missing=contents.missing,
            read=report.samples,
            bad=report.bad,
            raw_sizes=_sizes(source.resolve(), contents.pictures),
        )


def _sizes(root: Path, names: list[str]) -> dict[str, int]:
    """Numbers of pictures per size, of a few spread over all."""
    sizes: Counter[str] = Counter()
    for name in names[:: max(1, len(names) // SIZES)]:
        with suppress(SampleError):
            jpeg = read_jpeg(root, name)
            sizes[f"{jpeg.width} x {jpeg.height}"] += 1
    return dict(sizes.most_common())


def _survey_eye_set(source: Path, data_set: DataSet, progress: Callable[[int, int], object] | None) -> Survey:
    with open_eyes(source) as file:
        counts = {name: len(group["image"]) for name, group in person_groups(file).items()}
        total = sum(counts.values())
        if not total:
            raise InputError(f"{source}: holds no eyes")
        drawn = np.zeros(total, bool)
        drawn[np.random.default_rng(0).choice(total, min(total, IN_MEMORY), replace=False)] = True
        hashes = np.zeros(total, np.uint64)
        flat = done = 0
        kept: list[Eyes] = []
        labels: dict[str, list[NDArray[np.float32]]] = {"gaze": [], "head": []}
        landmarks = 0
        for block in read_blocks(source, file):
            hashes[done : done + len(block)] = [_hash(image) for image in block.image]
            pixels = block.image.reshape(len(block), -1)
            flat += int(((pixels.std(axis=1) < FLAT) | (pixels.mean(axis=1) < BLACK)).sum())
            labels["gaze"].append(block.gaze[block.has_gaze])
            labels["head"].append(block.head[np.isfinite(block.head).all(axis=1)])
            landmarks += int(block.has_landmarks.sum())
            kept.append(block.select(drawn[done : done + len(block)]))
            done += len(block)
            if progress:
                progress(done, total)
        eyes = join_eyes(kept)
        if not is_equalized(file):
            eyes = eyes.with_images(equalize(eyes.image))
    return Survey(
        source=str(source),
        data_set=data_set,
        counts=counts,
        missing=[],
        read=total,
        bad=[],
        raw_sizes={},
        eyes_read=total,
        duplicates=total - len(np.unique(hashes)),
        flat=flat,
        labels={label: np.concatenate(parts) for label, parts in labels.items()},
        landmarks=landmarks,
        eyes=eyes,
    )


def _hash(image: NDArray[np.uint8]) -> int:
    return int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=8).digest())
