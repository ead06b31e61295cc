"""The description of a data set: an entry of the table in `fpgan.data.datasets`."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from fpgan.data.eyes import Eye
from fpgan.domains import Domain
from fpgan.params import EyePicture

Sample = TypeVar("Sample")


class PreparationSection(Protocol):
    """A section of params.yaml that says how a data set is prepared."""

    @property
    def max_bad_fraction(self) -> float:
        """Share of broken samples beyond which the preparation fails."""


@dataclass(frozen=True)
class Samples(Generic[Sample]):
    """The samples of a source, and the function that makes eyes of one sample."""

    count: int
    samples: Iterable[Sample]
    """In the order of the source, read one after the other: memory does not grow with their number."""
    prepare: Callable[[Sample], list[Eye]]
    """Returns the eyes of a sample, none where the parameters leave the sample out; unknown labels are None.

    It can be pickled, and raises SampleError for a broken sample."""
    labels: Collection[str]
    """Names of the labels that the eyes have, of `fpgan.data.eyes.LABELS`."""
    persons: Collection[str] = ()
    """Persons known in advance: they are reported even if they have no eyes."""
    equalized: bool = False
    """Whether the prepared pictures are histogram-equalised."""
    in_parallel: bool = True
    """Whether several processes are faster than one."""


@dataclass(frozen=True)
class Contents:
    """All samples of a raw folder, listed without decoding pictures."""

    counts: dict[str, int]
    """Samples per person."""
    missing: list[str]
    """Files that belong to another file and are absent."""
    pictures: list[str]
    """JPEG files, relative to the folder."""


@dataclass(frozen=True)
class DataSet:
    """One kind of source of eyes."""

    name: str
    """`data.NAME` is its source, `fpgan prepare-NAME` prepares it."""
    kind: str
    """In reports, such as "UnityEyes folder"."""
    description: str
    """In messages, with an article and the layout of the files."""
    recognizes: Callable[[Path], bool]
    """Whether an existing file or folder holds this data set."""
    samples: Callable[[Path, EyePicture, Any], Samples[Any]]
    """The samples of a source, for pictures of a shape, prepared as a section of params.yaml says.

    Raises InputError when the source is broken or empty."""
    unit: str
    """The name of its samples, in the plural."""
    domain: Domain | None = None
    """None for a format that holds eyes of either domain."""
    section: str | None = None
    """Its section of params.yaml, a PreparationSection; None where the preparation has no parameters."""
    filters: tuple[str, ...] = ()
    """Keys of the section that leave samples out, unless they are null."""
    contents: Callable[[Path], Contents] | None = None
    """Lists a raw folder for a survey; None for an eye set, which a survey reads whole."""
