"""The record of an evaluation: one safetensors file with everything that evaluations are compared by.

Its arrays are `gaze`, `head`, `estimates/PROTOCOL` and, for each field of `Shown`, `shown/DIRECTION/FIELD`.
The other fields of `Evaluation` are JSON in the metadata. Unknown numbers are NaN.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass
from pydantic_core import from_json
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from fpgan.data.eyes import LANDMARKS, Eyes
from fpgan.domains import Direction
from fpgan.errors import InputError
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.files.writing import replacing

FORMAT = "fpgan evaluation 2"
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"  # of records made by earlier versions


def _like(*kinds: str) -> AfterValidator:
    """Accepts arrays of a type and shape such as "float32 (N, 2)", in which capitals stand for any length."""
    patterns = [re.sub("[A-Z]", r"\\d+", re.escape(kind)) for kind in kinds]

    def check(array: NDArray[Any]) -> NDArray[Any]:
        found = f"{array.dtype} {array.shape}"
        if not any(re.fullmatch(pattern, found) for pattern in patterns):
            raise ValueError(f"is {found}; expected {' or '.join(kinds)}")
        return array

    return AfterValidator(check)


def _finite(angles: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(angles).all():
        raise ValueError("holds angles that are not finite")
    return angles


def _names(names: Any) -> NDArray[np.str_]:
    found = np.array(names, str)
    if found.ndim != 1 or not all(isinstance(name, str) for name in names):
        raise ValueError("is not a list of names")
    return found


Pictures = Annotated[NDArray[np.uint8], _like("uint8 (N, H, W)", "uint8 (N, H, W, 3)")]
Angles = Annotated[NDArray[np.float32], _like("float32 (N, 2)")]
Points = Annotated[NDArray[np.float32], _like(f"float32 (N, {LANDMARKS}, 2)")]
Estimated = Annotated[NDArray[np.float32], _like("float32 (S, N, 2)"), AfterValidator(_finite)]


class Shown(NamedTuple):
    """A few test eyes of one direction and their translations; rows correspond."""

    source: Pictures
    """(n, H, W) grey or (n, H, W, 3) RGB."""
    translation: Pictures
    """Same shape as the source."""
    gaze: Angles
    """(n, 2) labels, pitch and yaw in radians; NaN if unknown."""
    gaze_source: Angles
    """(n, 2) estimates on the sources by the estimator trained on adapted S."""
    gaze_translation: Angles
    """(n, 2) estimates on the translations by the same estimator."""
    landmarks_source: Points
    """(n, 18, 2) landmarks found in the sources, x and y in pixels."""
    landmarks_translation: Points
    """(n, 18, 2) landmarks found in the translations."""


@dataclass(frozen=True, config=ConfigDict(arbitrary_types_allowed=True, extra="forbid"))
class Evaluation:
    """The results of one evaluation, its test eyes, and the parameters it depended on."""

    name: str
    """Such as "default" or "ablation/cyclegan"."""
    protocol: str
    """The test persons and the translator's training data, in words."""
    seeds: Annotated[tuple[StrictInt, ...], Field(min_length=1)]
    person: Annotated[NDArray[np.str_], BeforeValidator(_names)]
    """(N,) person of each real test eye with a gaze label."""
    gaze: Annotated[Angles, AfterValidator(_finite)]
    """(N, 2) gaze labels of these eyes, pitch and yaw in radians."""
    head: Angles
    """(N, 2) their head poses, pitch and yaw in radians; NaN if unknown."""
    test_digest: str
    """Digest of all real test eyes by `digest_test_eyes`."""
    estimates: dict[str, Estimated]
    """By protocol (seeds, N, 2), or (1, N, 2) if nothing is trained; empty when no eye has a label."""
    skipped: dict[str, str]
    """Why protocols have no estimates."""
    shown: dict[Direction, Shown]
    """From the networks of the first seed."""
    scores: dict[str, Any]
    """The content of metrics.json."""
    params: dict[str, Any]
    """The sections of params.yaml that the evaluation and its inputs depended on."""


def digest_test_eyes(eyes: Eyes) -> str:
    """SHA-256 of the pictures, persons, gaze and head labels of eyes, in their order."""
    found = hashlib.sha256()
    for values in (eyes.image, eyes.gaze.astype("<f4"), eyes.head.astype("<f4")):
        found.update(f"{values.shape}\n".encode())
        found.update(np.ascontiguousarray(values).tobytes())
    found.update("\0".join(eyes.person.tolist()).encode())
    return found.hexdigest()


def save_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Writes the record; the file appears under its name only when it is complete.

    Raises Unavailable when there is no room for it.
    """
    arrays = {"gaze": evaluation.gaze, "head": evaluation.head}
    arrays |= {f"estimates/{protocol}": gaze for protocol, gaze in evaluation.estimates.items()}
    for direction, shown in evaluation.shown.items():
        arrays |= {f"shown/{direction}/{name}": values for name, values in shown._asdict().items()}
    texts = {"person": evaluation.person.tolist()} | {
        name: getattr(evaluation, name)
        for name in ("name", "protocol", "seeds", "test_digest", "skipped", "scores", "params")
    }
    metadata = {FORMAT: json.dumps(texts)}
    with replacing(path) as partial:
        save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, partial, metadata)


def load_evaluation(path: Path) -> Evaluation:
    """Reads a record.

    Raises InputError, naming the file and its fault, when it is absent, not a record, or damaged, or a value
    is missing or has the wrong type or shape.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; expected the record of an evaluation (evaluation.safetensors)"
        )
    with path.open("rb") as start:
        if start.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE:
            raise InputError(
                f"{path}: an HDF5 file; a record of an evaluation made by an earlier version cannot be read: "
                "evaluate again with `dvc repro`"
            )
    try:
        with safe_open(path, "np") as file:
            text = (file.metadata() or {}).get(FORMAT)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, AttributeError) as error:  # the last two: no type of NumPy's
        raise InputError(f"{path}: not the record of an evaluation, or damaged: {error}") from None
    if text is None:
        raise InputError(f"{path}: not the record of an evaluation: its metadata has no '{FORMAT}'")
    try:
        return _evaluation(text, arrays)
    except ValidationError as error:
        fault = error.errors()[0]
        where, reason = "/".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: damaged record of an evaluation: '{where}': {reason}") from None
    except ValueError as error:
        raise InputError(f"{path}: damaged record of an evaluation: {error}") from None


def _evaluation(text: str, arrays: dict[str, NDArray[Any]]) -> Evaluation:
    """The evaluation from the JSON and the arrays of a record; raises ValueError if they do not fit."""

    def below(folder: str) -> dict[str, NDArray[Any]]:
        return {name.removeprefix(folder): arrays[name] for name in arrays if name.startswith(folder)}

    texts, estimates = from_json(text), below("estimates/")
    if not isinstance(texts, dict):
        raise ValueError("its JSON is not an object")
    evaluation = TypeAdapter(Evaluation).validate_python(
        texts
        | {name: arrays[name] for name in ("gaze", "head") if name in arrays}
        | {"estimates": {name: estimates[name] for name in [*PROTOCOLS, *estimates] if name in estimates}}
        | {"shown": {direction: shown for direction in Direction if (shown := below(f"shown/{direction}/"))}}
    )
    for name, rows, expected in _rows(evaluation):
        if rows != expected:
            raise ValueError(f"'{name}' has {rows} rows; expected {expected}")
    return evaluation


def _rows(evaluation: Evaluation) -> Iterator[tuple[str, int, int]]:
    """Name, actual and expected length of every array."""
    eyes, seeds = len(evaluation.person), len(evaluation.seeds)
    yield "gaze", len(evaluation.gaze), eyes
    yield "head", len(evaluation.head), eyes
    for name, gaze in evaluation.estimates.items():
        yield f"estimates/{name}", len(gaze), 1 if len(gaze) == 1 else seeds
        yield f"estimates/{name} of every seed", gaze.shape[1], max(eyes, 1)  # estimates are of some eye
    for direction, shown in evaluation.shown.items():
        for name, values in shown._asdict().items():
            yield f"shown/{direction}/{name}", len(values), len(shown.source)
