"""The outcome of a preparation: the eyes it wrote, and the samples it left out."""

import json
from dataclasses import asdict, dataclass, field

from fpgan.data.preview import Preview
from fpgan.errors import InputError

SHOWN = 5  # bad samples named in messages; the JSON has them all


class SampleError(Exception):
    """One sample cannot be used, for the reason in the message; the preparation counts and reports it."""

    def __init__(self, file: str, line: int | None, reason: str) -> None:
        super().__init__(reason)
        self.sample = BadSample(file, line, reason)


@dataclass(frozen=True)
class BadSample:
    file: str
    """Relative to the source."""
    line: int | None
    """Line of a text file, counted from 1; row of an HDF5 group, from 0; None for a file as a whole."""
    reason: str

    def __str__(self) -> str:
        text = f"{self.file}{'' if self.line is None else f':{self.line}'}: {self.reason}"
        # Names and values in damaged files may hold a terminal's control characters.
        return "".join(character if character.isprintable() else "?" for character in text)


@dataclass
class Report:
    """The outcome of one preparation."""

    source: str
    samples: int
    """All samples of the source: pictures, annotation lines or rows, used or not."""
    preview: Preview = field(compare=False, repr=False)
    """Some of the eyes written."""
    counts: dict[str, int] = field(default_factory=dict)
    """Eyes written, per person."""
    outside: int = 0
    """Samples left out because their gaze or head pose lies outside the wanted range."""
    bad: list[BadSample] = field(default_factory=list)
    """In the order of the source."""

    @property
    def eyes(self) -> int:
        """Eyes written, of all persons."""
        return sum(self.counts.values())

    def to_json(self) -> str:
        record = {
            "source": self.source,
            "samples": self.samples,
            "counts": self.counts,
            "outside": self.outside,
            "bad": [asdict(sample) for sample in self.bad],
            "eyes": self.eyes,
        }
        return json.dumps(record, indent=2)

    def summary(self) -> str:
        """A few lines for the terminal."""
        persons = ", ".join(f"{person} {count}" for person, count in self.counts.items())
        lines = [f"{self.eyes} eyes from {self.samples} samples of {self.source} ({persons})"]
        if self.outside:
            lines.append(f"left out: {self.outside} outside the gaze or head range")
        if self.bad:
            lines += [f"{len(self.bad)} bad samples left out:", *self.first_bad()]
        return "\n".join(lines)

    def check(self, max_bad_fraction: float) -> None:
        """Raises InputError when a larger share of all samples than `max_bad_fraction` is bad."""
        if len(self.bad) <= max_bad_fraction * self.samples:
            return
        raise InputError(
            "\n".join(
                [
                    f"{self.source}: {len(self.bad)} of {self.samples} samples are bad so far, more than the "
                    f"max_bad_fraction of {max_bad_fraction:g} allows:",
                    *self.first_bad(),
                    "Repair or remove these files, or raise max_bad_fraction to leave them out.",
                ]
            )
        )

    def first_bad(self) -> list[str]:
        """One line for each of the first bad samples, and one line for the rest."""
        lines = [f"  {sample}" for sample in self.bad[:SHOWN]]
        if len(self.bad) > SHOWN:
            lines.append(f"  and {len(self.bad) - SHOWN} more")
        return lines
