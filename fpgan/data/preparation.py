"""What the preparations have in common: samples in, an eye set and a report out."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import compress, islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fpgan.data.eye_set import EyeWriter
from fpgan.data.preparation_report import BadSample, Report, SampleError
from fpgan.errors import InputError
from fpgan.parallel import available_cpus, map_in_order

CHUNK = 64  # samples a worker takes at a time
MOST_WORKERS = 6  # each holds up to 100 MiB; with the tracking in their parent they stay below 1 GiB
Sample = TypeVar("Sample")
Progress = Callable[[int, int], object]
"""Told the number of samples done and of all samples."""


@dataclass(frozen=True)
class PreparedEye:
    """One eye, as in `fpgan.data.eyes`; None where a label is not known."""

    person: str
    image: NDArray[np.uint8]
    gaze: NDArray[np.floating] | None = None
    head: NDArray[np.floating] | None = None
    landmarks: NDArray[np.floating] | None = None


def write_eyes(
    output: Path,
    labels: Collection[str],
    samples: Iterable[Sample],
    prepare_sample: Callable[[Sample], list[PreparedEye]],
    report: Report,
    *,
    at_most: int | None = None,
    equalized: bool = False,
    max_bad_fraction: float,
    workers: int | None,
    progress: Progress | None,
) -> Report:
    """Prepares the `report.samples` samples and writes their eyes to `output`, which appears when complete.

    `prepare_sample` must be picklable, raises SampleError for a bad sample and returns no eye for one that
    is not wanted. `workers` None means one a CPU, MOST_WORKERS at most; the result is the same for any
    number. Of more than `at_most` samples that many are drawn at random, always the same. Fills and returns
    the report. Raises InputError as soon as too many samples are bad, or when no eye is left.
    """
    done = 0
    if at_most is not None and at_most < report.samples:
        samples = _draw(samples, report.samples, at_most)
        report.samples = at_most
    chunks = _chunks(samples)
    workers = min(available_cpus(), MOST_WORKERS) if workers is None else workers
    workers = min(workers, math.ceil(report.samples / CHUNK))
    with EyeWriter(output, labels=labels, equalized=equalized) as writer:
        for size, eyes, outside, bad in map_in_order(
            partial(_prepare_chunk, prepare_sample), chunks, workers
        ):
            for eye in eyes:
                writer.append(eye.person, eye.image, eye.gaze, eye.head, eye.landmarks)
            report.outside += outside
            report.bad += bad
            report.check(max_bad_fraction)
            done += size
            if progress:
                progress(done, report.samples)
        if not writer.counts:
            why = f": {report.outside} samples are outside the gaze or head range" if report.outside else ""
            raise InputError("\n".join([f"{report.source}: holds no eyes{why}", *report.first_bad()]))
    report.counts |= writer.counts
    return report


def _draw(samples: Iterable[Sample], count: int, at_most: int) -> Iterator[Sample]:
    drawn = np.zeros(count, bool)
    drawn[np.random.default_rng(0).choice(count, at_most, replace=False)] = True
    return compress(samples, drawn)


def _chunks(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    rest = iter(samples)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _prepare_chunk(
    prepare_sample: Callable[[Sample], list[PreparedEye]], chunk: list[Sample]
) -> tuple[int, list[PreparedEye], int, list[BadSample]]:
    """Number of samples, their eyes, the number of those not wanted, and the bad ones."""
    eyes: list[PreparedEye] = []
    outside = 0
    bad: list[BadSample] = []
    for sample in chunk:
        try:
            prepared = prepare_sample(sample)
        except SampleError as error:
            bad.append(error.sample)
        else:
            eyes += prepared
            outside += not prepared
    return len(chunk), eyes, outside, bad
