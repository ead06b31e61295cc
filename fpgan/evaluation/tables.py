"""The CSV tables of an evaluation, and tables and text as the console shows them."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from rich.console import Console, RenderableType

from fpgan.evaluation.estimates import Estimates
from fpgan.evaluation.protocols import PROTOCOLS

WIDTH = 116  # characters of the console's text
MOST_DEGREES = 30  # in the table of errors; larger errors are counted in this bin


def console_text(*parts: RenderableType, width: int = WIDTH) -> str:
    """Tables and sentences as plain text, wrapped at `width` characters."""
    console = Console(width=width, markup=False, highlight=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return captured.get().rstrip("\n")


def rows_csv(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows as CSV, with the columns of all rows; missing cells are empty."""
    file = StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def write_person_table(path: Path, estimates: Mapping[str, Estimates]) -> None:
    """Mean errors in degrees: one row per person, one column per protocol; empty if not tested on."""
    means = {name: found.by_person() for name, found in estimates.items()}
    eyes = {
        person: int((found.person == person).sum())
        for found in estimates.values()
        for person in found.persons
    }
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["person", "eyes", *means])
        for person, count in eyes.items():
            errors = (by_person.get(person) for by_person in means.values())
            writer.writerow([person, count, *("" if error is None else f"{error:.2f}" for error in errors)])


def write_error_table(path: Path, estimates: Mapping[str, Estimates]) -> None:
    """Histograms of errors for `dvc plots`: one row per drawn protocol and degree, with the share of eyes
    whose error lies between it and the next degree."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["protocol", "degrees", "share_of_eyes"])
        for name, found in estimates.items():
            if PROTOCOLS[name].style:
                errors = found.errors.clip(max=MOST_DEGREES)
                count, _ = np.histogram(errors, np.arange(MOST_DEGREES + 2))
                for degrees, share in enumerate(count / errors.size):
                    writer.writerow([name, degrees, f"{share:.4f}"])
