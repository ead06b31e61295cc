"""What a data set holds, without preparing all of it: counts over everything, pictures of a random part."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpgan.data.eye_set import open_eyes, person_groups, read_blocks
from fpgan.data.eyes import Eyes, equalize, join_eyes
from fpgan.data.mpiifacegaze import annotation_lines, find_persons, parse_line, prepare_mpiifacegaze
from fpgan.data.preparation_report import BadSample, SampleError
from fpgan.data.raw_files import read_jpeg
from fpgan.data.unityeyes import PERSON, list_files, prepare_unityeyes
from fpgan.errors import InputError
from fpgan.params import Params

Kind = Literal["UnityEyes folder", "MPIIFaceGaze folder", "HDF5 eye set"]
Progress = Callable[[int, int], object]

READ = 2000  # samples of a raw folder that are read, unless all are
IN_MEMORY = 4000  # eyes
SIZES = 200  # raw pictures whose size is looked up
FLAT = 4  # standard deviation, in grey levels, below which a picture shows nothing
BLACK = 8  # mean grey level likewise
LENIENT = {"max_bad_fraction": 1.0}  # broken samples are what a survey is to count
ALL_ANGLES = dict.fromkeys(("gaze_pitch", "gaze_yaw", "head_pitch", "head_yaw"))


@dataclass(frozen=True)
class Survey:
    """A data set: what its files say, what was read of it, and eyes drawn from that at random."""

    source: str
    kind: Kind
    unit: str
    """What `counts` counts: pictures, annotation lines or eyes."""
    counts: dict[str, int]
    """Samples by person, over the whole set."""
    missing: list[str]
    """Of a raw folder, what lacks its other half: a picture its record, an annotation line its picture."""
    read: int
    """Samples read."""
    bad: list[BadSample]
    """Those of them that cannot be used."""
    raw_sizes: dict[str, int]
    """Pictures of a raw folder by size, of a few."""
    eyes_read: int
    """Eyes in the samples read, which the numbers below are about."""
    duplicates: int
    """Eyes whose picture is, pixel by pixel, one that came before."""
    flat: int
    """Eyes whose picture is black or of one grey."""
    labels: dict[str, NDArray[np.float32]]
    """gaze and head (N, 2) where known, radians."""
    landmarks: int
    """Eyes with landmarks."""
    eyes: Eyes
    """At most 4 000 of the eyes read, pictures equalised."""

    @property
    def samples(self) -> int:
        return sum(self.counts.values())


def recognize(source: Path) -> Kind:
    """What a path holds; InputError when it is no data set."""
    if source.is_file():
        return "HDF5 eye set"
    if not source.is_dir():
        raise InputError(f"{source}: no such file or folder")
    if any(path.is_dir() for path in source.glob("p[0-9][0-9]")):
        return "MPIIFaceGaze folder"
    folder = source / "imgs" if (source / "imgs").is_dir() else source
    if any(path.suffix == ".json" for path in folder.iterdir()):
        return "UnityEyes folder"
    raise InputError(
        f"{source}: not a data set; expected a UnityEyes folder (imgs/N.jpg and imgs/N.json), an "
        "MPIIFaceGaze folder (p00/p00.txt, p00/day01/0001.jpg, ...) or an HDF5 eye set"
    )


def survey(
    source: Path, params: Params, *, everything: bool = False, progress: Progress | None = None
) -> Survey:
    """Surveys a raw folder of either data set, or an HDF5 eye set.

    Of a raw folder 2 000 samples drawn at random are prepared as `params` say, with `everything` all of
    them; an HDF5 set is read whole, and its pictures stay as large as they are. `progress` is told samples
    done and of all. Raises InputError when the source is no data set, or nothing in it can be used.
    """
    kind = recognize(source)
    if kind == "HDF5 eye set":
        return _survey_hdf5(source, progress)
    at_most = None if everything else READ
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "eyes.h5"
        if kind == "UnityEyes folder":
            unit, counts, missing, raw_sizes = _list_unityeyes(source)
            report = prepare_unityeyes(
                source,
                prepared,
                params.eyes,
                params.prepare_unityeyes.model_copy(update=LENIENT | ALL_ANGLES),
                at_most=at_most,
                progress=progress,
            )
        else:
            unit, counts, missing, raw_sizes = _list_mpiifacegaze(source)
            report = prepare_mpiifacegaze(
                source,
                prepared,
                params.eyes,
                params.prepare_mpiifacegaze.model_copy(update=LENIENT),
                at_most=at_most,
                progress=progress,
            )
        return replace(
            _survey_hdf5(prepared, None),
            source=str(source),
            kind=kind,
            unit=unit,
            counts=counts,
            missing=missing,
            read=report.samples,
            bad=report.bad,
            raw_sizes=raw_sizes,
        )


def _list_unityeyes(source: Path) -> tuple[str, dict[str, int], list[str], dict[str, int]]:
    folder, pictures, records = list_files(source)
    missing = [f"{name}.json" for name in sorted(pictures - records)]
    missing += [f"{name}.jpg" for name in sorted(records - pictures)]
    place = folder.relative_to(source)
    names = [str(place / f"{name}.jpg") for name in sorted(pictures)]
    return "pictures", {PERSON: len(pictures | records)}, missing, _sizes(source.resolve(), names)


def _list_mpiifacegaze(source: Path) -> tuple[str, dict[str, int], list[str], dict[str, int]]:
    root = source.resolve()
    counts: dict[str, int] = {}
    missing: list[str] = []
    names: list[str] = []
    for person in find_persons(source):
        for line in annotation_lines(root, person):
            counts[person] = counts.get(person, 0) + 1
            with suppress(SampleError):  # a malformed line is counted where it is read
                name = f"{person}/{parse_line(line).picture}"
                (names if (root / name).is_file() else missing).append(name)
    return "annotation lines", counts, missing, _sizes(root, names)


def _sizes(root: Path, names: list[str]) -> dict[str, int]:
    """Numbers of pictures by size, of a few spread over all."""
    sizes: Counter[str] = Counter()
    for name in names[:: max(1, len(names) // SIZES)]:
        with suppress(SampleError):
            jpeg = read_jpeg(root, name)
            sizes[f"{jpeg.width} x {jpeg.height}"] += 1
    return dict(sizes.most_common())


def _survey_hdf5(source: Path, progress: Progress | None) -> Survey:
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
        if not file.attrs.get("equalized", False):
            eyes = eyes.with_images(equalize(eyes.image))
    return Survey(
        source=str(source),
        kind="HDF5 eye set",
        unit="eyes",
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
