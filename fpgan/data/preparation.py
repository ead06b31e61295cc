"""The writing of a prepared eye set: samples in, an eye set and a report out."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import compress, islice
from pathlib import Path
from typing import Any

import numpy as np

from fpgan.data.entry import Sample, Samples
from fpgan.data.eye_set import new_eye_set
from fpgan.data.eyes import Eye
from fpgan.data.preparation_report import BadSample, Report, SampleError
from fpgan.data.preview import Preview
from fpgan.errors import InputError
from fpgan.parallel import available_cpus, map_in_order

CHUNK = 64  # samples that a worker takes at a time
MOST_WORKERS = 6  # each takes up to 100 MiB; together with MLflow in the parent they stay below 1 GiB


@dataclass(frozen=True)
class PreparedChunk:
    """The outcome of a few samples."""

    samples: int
    eyes: list[Eye]
    outside: int
    """Samples that the parameters leave out."""
    bad: list[BadSample]


def write_eyes(
    source: Path,
    output: Path,
    samples: Samples[Any],
    *,
    at_most: int | None,
    max_bad_fraction: float,
    workers: int | None,
    progress: Callable[[int, int], object] | None,
) -> Report:
    """Prepares the samples of a source and writes their eyes to `output`, which appears when complete.

    Arguments are as in `fpgan.data.datasets.prepare`. Raises InputError as soon as more than
    `max_bad_fraction` of all samples are broken, or when no eye is left.
    """
    count, stream = samples.count, iter(samples.samples)
    if at_most is not None and at_most < count:
        count, stream = at_most, _draw(stream, count, at_most)
    preview = Preview(count, samples.equalized)
    report = Report(str(source), count, preview, dict.fromkeys(samples.persons, 0))
    if not samples.in_parallel:
        workers = 1
    elif workers is None:
        workers = min(available_cpus(), MOST_WORKERS)
    workers = min(workers, math.ceil(count / CHUNK))
    chunks = iter(lambda: list(islice(stream, CHUNK)), [])
    done = 0
    with new_eye_set(output, labels=samples.labels, equalized=samples.equalized) as writer:
        for chunk in map_in_order(partial(_prepare_chunk, samples.prepare), chunks, workers):
            before, done = done, done + chunk.samples
            for eye in chunk.eyes:
                writer.append(eye)
            preview.add(chunk.eyes, before, done)
            report.outside += chunk.outside
            report.bad += chunk.bad
            report.check(max_bad_fraction)
            if progress:
                progress(done, count)
        if not writer.counts:
            why = f": {report.outside} samples are outside the gaze or head range" if report.outside else ""
            raise InputError("\n".join([f"{source}: holds no eyes{why}", *report.first_bad()]))
    report.counts |= writer.counts
    return report


def _draw(samples: Iterable[Sample], count: int, at_most: int) -> Iterator[Sample]:
    drawn = np.zeros(count, bool)
    drawn[np.random.default_rng(0).choice(count, at_most, replace=False)] = True
    return compress(samples, drawn)


def _prepare_chunk(prepare_sample: Callable[[Sample], list[Eye]], chunk: list[Sample]) -> PreparedChunk:
    eyes: list[Eye] = []
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
    return PreparedChunk(len(chunk), eyes, outside, bad)
