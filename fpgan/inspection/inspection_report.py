"""An inspection as text for the terminal, and as values for a JSON file."""

import textwrap
from typing import Any

import numpy as np

from fpgan.inspection.findings import MPIIGAZE, angle_columns
from fpgan.inspection.framing import SCALE_ACCURACY, WIDTH, Framing, FramingDifference
from fpgan.inspection.survey import Survey
from fpgan.params import Params, PrepareUnityEyes

PERSONS = 20  # named one by one
PLACE_ACCURACY = 0.6  # pixels of the iris' x, an error that more eyes do not reduce
HEIGHT_ACCURACY = 1.5  # the same for y: lids hide the upper and the lower edge
ALIKE, MIRRORED = 0.25, -0.25  # correlation of the asymmetries
"""Between 14 pairs of good sets, of the same or of different kinds, it was 0.29 to 1."""


def inspection_report(survey: Survey, framing: Framing, problems: list[str], notes: list[str]) -> str:
    """Counts, labels, framing, likely mistakes and notes."""
    return "\n\n".join(
        [
            _counts(survey),
            *([_angles(survey)] if angle_columns(survey) else ["No gaze or head labels."]),
            _framing(framing),
            _sentences("Problems:", problems) if problems else "Nothing looks wrong.",
            *([_sentences("Notes:", notes)] if notes else []),
        ]
    )


def _counts(survey: Survey) -> str:
    persons = list(survey.counts.items())
    shown = ", ".join(f"{person} {count}" for person, count in persons[:PERSONS])
    if len(persons) > PERSONS:
        shown += f" and {len(persons) - PERSONS} more"
    height, width = survey.eyes.image.shape[1:3]
    eyes = f"{survey.eyes_read} eyes of {width} x {height}, {'RGB' if survey.eyes.channels == 3 else 'grey'}"
    lines = [
        f"{survey.source}: {survey.data_set.kind}",
        f"  {survey.samples} {survey.data_set.unit} of {len(persons)} "
        f"{'person' if len(persons) == 1 else 'persons'}: {shown}",
    ]
    if survey.data_set.contents is not None:
        part = "all" if survey.read == survey.samples else f"{survey.read} drawn at random; --all for all"
        sizes = ", ".join(f"{size} ({count})" for size, count in list(survey.raw_sizes.items())[:5])
        lines += [
            f"  files missing: {len(survey.missing)} (all checked)",
            f"  pictures: {sizes} (a few checked)",
            f"  read: {part}; broken: {len(survey.bad)}",
        ]
    share = survey.landmarks / survey.eyes_read
    labelled = {label: len(values) / survey.eyes_read for label, values in survey.labels.items()}
    lines += [
        f"  {eyes}",
        f"  labelled: gaze {labelled['gaze']:.0%}, head pose {labelled['head']:.0%}, landmarks {share:.0%}",
        f"  black or of one grey: {survey.flat}; repeated pixel by pixel: {survey.duplicates}",
    ]
    return "\n".join(lines)


def _angles(survey: Survey) -> str:
    lines = [f"{'degrees':<12}" + "".join(f"{head:>8}" for head in ("mean", "sd", "min", "1%", "99%", "max"))]
    lines[0] += f"{'MPIIGaze':>18}"
    for name, values in angle_columns(survey).items():
        row = _statistics(values)
        mean, deviation = np.degrees(MPIIGAZE[name])
        lines.append(f"{name:<12}" + "".join(f"{value:8.1f}" for value in row.values()))
        lines[-1] += f"{f'{mean:.1f} +- {deviation:.1f}':>18}"
    return "\n".join(lines)


def _statistics(values: np.ndarray) -> dict[str, float]:
    """Statistics, in degrees, of angles (N,) in radians."""
    degrees = np.degrees(values.astype(np.float64))
    low, high = np.percentile(degrees, [1, 99])
    return {
        "mean": float(degrees.mean()),
        "sd": float(degrees.std()),
        "min": float(degrees.min()),
        "1%": float(low),
        "99%": float(high),
        "max": float(degrees.max()),
    }


def _framing(framing: Framing) -> str:
    x, y = framing.iris_center
    lines = [
        f"Framing, in pixels of a picture {WIDTH} wide, from {len(framing.found.radius)} eyes",
        f"  iris radius {framing.iris_radius:.1f} +- {framing.iris_radius_error:.1f} "
        f"({framing.iris_radius / WIDTH:.0%} of the width)",
        f"  iris place {_sideways(x)}, {_upright(y)} the middle",
    ]
    if framing.lid_width is not None:
        lines.append(f"  lid opening {framing.lid_width:.1f} wide, by its landmarks")
    return "\n".join(lines)


def _framing_table(framings: dict[str, Framing], width: int) -> list[str]:
    """Lines of a table with one column per set, each `width` characters wide."""
    rows = {
        "iris radius": [framing.iris_radius for framing in framings.values()],
        "iris, right of the middle": [framing.iris_center[0] for framing in framings.values()],
        "iris, below the middle": [framing.iris_center[1] for framing in framings.values()],
    }
    return [
        f"{f'pixels of {WIDTH}':<28}" + "".join(f"{name:>{width}}" for name in framings),
        *(f"{name:<28}" + "".join(f"{value:{width}.1f}" for value in row) for name, row in rows.items()),
    ]


def comparison_report(
    name: str, other_name: str, framing: Framing, other: Framing, sentences: list[str]
) -> str:
    """The framings of two sets, side by side, and sentences about them."""
    table = _framing_table({"A": framing, "B": other}, 8)
    lines = [f"A: {name}", f"B: {other_name}", *table]
    return "\n".join(lines) + "\n\n" + _sentences("A against B:", sentences)


def compare_in_words(framing: Framing, other: Framing, comparison: FramingDifference) -> list[str]:
    """Differences between the framings of sets A and B, as far as the accuracy allows; one sentence each."""
    larger = comparison.scale - 1
    error = float(np.hypot(comparison.scale_error, SCALE_ACCURACY)) * comparison.scale
    sentences = [
        f"Eyes of A are {abs(larger):.0%} {'larger' if larger > 0 else 'smaller'} (+- {error:.0%})."
        if abs(larger) > error
        else f"Eyes are equally large, as far as can be measured ({larger:+.0%} +- {error:.0%})."
    ]
    for shift, spread, accuracy, axis, words in (
        (comparison.shift[0], comparison.shift_error[0], PLACE_ACCURACY, "sideways", ("right", "left")),
        (comparison.shift[1], comparison.shift_error[1], HEIGHT_ACCURACY, "up and down", ("lower", "higher")),
    ):
        within = float(np.hypot(spread, accuracy))
        word = words[0] if shift > 0 else words[1]
        further = f"further {word}" if axis == "sideways" else word
        sentences.append(
            f"Irises of A sit {abs(shift):.1f} pixels {further} (+- {within:.1f})."
            if abs(shift) > within
            else f"Irises sit alike {axis}, as far as can be measured ({shift:+.1f} +- {within:.1f} pixels)."
        )
    correlation = f"asymmetries of the mean eyes correlate {comparison.asymmetry:+.2f}"
    if comparison.asymmetry < MIRRORED:
        sentences.append(f"One set is mirrored against the other: {correlation}.")
    elif comparison.asymmetry > ALIKE:
        sentences.append(f"Both have the inner corner on the same side: {correlation}.")
    else:
        sentences.append(f"It is unclear whether one is mirrored: {correlation}.")
    return sentences


def fit_report(
    params: Params,
    section: PrepareUnityEyes,
    before: Framing,
    fitted: Framing,
    real: Framing,
    sentences: list[str],
) -> str:
    """The fitted crop, the evidence for it, and the way to set it."""
    old = params.prepare_unityeyes
    shift = f"[{section.crop_shift[0]:g}, {section.crop_shift[1]:g}]"
    return "\n".join(
        [
            f"synthetic: {params.data.unityeyes}, {len(before.found.radius)} eyes",
            f"real: {params.data.mpiifacegaze}, {len(real.found.radius)} eyes",
            "",
            *_framing_table({"synthetic": before, "fitted": fitted, "real": real}, 11),
            "",
            f"crop_width {old.crop_width:g} becomes {section.crop_width:g} (+- {SCALE_ACCURACY:.0%}), "
            f"crop_shift [{old.crop_shift[0]:g}, {old.crop_shift[1]:g}] becomes {shift}.",
            "",
            _sentences("Fitted synthetic eyes (A) against real ones (B):", sentences),
            "",
            "In params.yaml:",
            "  prepare_unityeyes:",
            f"    crop_width: {section.crop_width:g}",
            f"    crop_shift: {shift}",
            "or for a single call:",
            f"  --set prepare_unityeyes.crop_width={section.crop_width:g} "
            f"--set 'prepare_unityeyes.crop_shift={shift}'",
        ]
    )


def summary(survey: Survey, framing: Framing, problems: list[str], notes: list[str]) -> dict[str, Any]:
    """An inspection as values for JSON; angles in degrees."""
    return {
        "source": survey.source,
        "kind": survey.data_set.kind,
        "samples": {"unit": survey.data_set.unit, "all": survey.samples, "by_person": survey.counts},
        "missing": survey.missing,
        "read": survey.read,
        "broken": [str(bad) for bad in survey.bad],
        "raw_sizes": survey.raw_sizes,
        "eyes": {
            "read": survey.eyes_read,
            "shape": list(survey.eyes.image.shape[1:]),
            "with_gaze": len(survey.labels["gaze"]),
            "with_head": len(survey.labels["head"]),
            "with_landmarks": survey.landmarks,
            "black_or_flat": survey.flat,
            "duplicates": survey.duplicates,
        },
        "degrees": {name: _statistics(values) for name, values in angle_columns(survey).items()},
        "framing": {
            "eyes": len(framing.found.radius),
            "picture_width": WIDTH,
            "iris_radius": framing.iris_radius,
            "iris_radius_error": framing.iris_radius_error,
            "iris_center": framing.iris_center.tolist(),
            "iris_center_error": framing.iris_center_error.tolist(),
            "lid_width": framing.lid_width,
        },
        "problems": problems,
        "notes": notes,
    }


def _sideways(x: float) -> str:
    return f"{abs(x):.1f} {'right' if x > 0 else 'left'}"


def _upright(y: float) -> str:
    return f"{abs(y):.1f} {'below' if y > 0 else 'above'}"


def _sentences(title: str, sentences: list[str]) -> str:
    lines = [textwrap.fill(text, 100, initial_indent="  - ", subsequent_indent="    ") for text in sentences]
    return "\n".join([title, *lines])
