"""Likely mistakes in an eye set, as sentences: in its files, its labels, and labels against pictures.

Labels are checked against the irises found in the pictures (see `framing`). The iris of an eye that turns to
the picture's left (yaw > 0) is further left, that of an eye that looks up (pitch > 0) further up. On good
sets of 100 eyes the rank correlation of yaw with the iris' x was mostly -0.97 to -0.44, that of pitch with
its y -0.94 to -0.37, and those of pitch with x and of yaw with y within 0.3 of zero. For one of 37 rendered
persons, whose irises are light, the first was near zero, and for the one real person the second. A single
weak correlation is therefore no evidence of a mistake.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from fpgan.data.datasets import DATA_SETS
from fpgan.data.eyes import Eyes
from fpgan.data.preparation_report import SHOWN
from fpgan.inspection.framing import Irises, labelled_irises
from fpgan.inspection.survey import Survey

Array = NDArray[np.floating]

FEWEST_EYES = 30  # with a clear iris, needed to check signs
FOLLOWS = -0.35  # correlation below which the iris follows an angle
CONTRADICTS = 0.35  # correlation above which the iris contradicts an angle, if it also exceeds CHANCE
CHANCE = 3.0  # standard deviations of the correlation of unrelated values
LEAST_TURN = 0.05  # standard deviation of an angle, radians, that moves irises visibly
DEGREES = 0.01  # share of angles beyond pi/2 above which the labels are in degrees
CONSTANT, TINY = 1e-4, 0.01  # standard deviations of both angles, radians
FEW_FLAT, MANY_FLAT = 0.01, 0.5  # shares of the pictures
FEW_DUPLICATES = 0.01
BESIDE = 0.5  # iris radii between landmarks and found irises, above which landmarks are wrong
SHARES = 2.0  # landmarks that all lie below it are shares of the picture and not pixels

MPIIGAZE = {
    "gaze pitch": (-0.153, 0.091),
    "gaze yaw": (0.001, 0.152),
    "head pitch": (0.169, 0.234),
    "head yaw": (-0.066, 0.204),
}
"""Mean and standard deviation, radians, of MPIIGaze's evaluation labels, all 15 persons."""


@dataclass(frozen=True)
class Following:
    """How irises follow the gaze labels: rank correlations, NaN where an angle does not vary."""

    eyes: int
    """With a clear iris and a gaze label."""
    x_yaw: float
    y_pitch: float
    x_pitch: float
    y_yaw: float


def following(gaze: Array, irises: Irises) -> Following:
    """Correlates gaze (N, 2), NaN where unknown, with the places of the clearer irises."""
    rows = irises.clear & np.isfinite(gaze).all(axis=1)
    place, (pitch, yaw) = irises.center[rows], gaze[rows].T

    def correlation(coordinate: Array, angle: Array) -> float:
        if rows.sum() < 3 or np.ptp(angle) == 0 or np.ptp(coordinate) == 0:
            return float("nan")
        return float(spearmanr(coordinate, angle).statistic)

    return Following(
        int(rows.sum()),
        correlation(place[:, 0], yaw),
        correlation(place[:, 1], pitch),
        correlation(place[:, 0], pitch),
        correlation(place[:, 1], yaw),
    )


def problems(survey: Survey, irises: Irises, measured: Eyes) -> list[str]:
    """Likely mistakes, one sentence each; `irises` are those found in the eyes `measured`."""
    return [
        *file_problems(survey),
        *angle_problems(survey.labels["gaze"], "gaze"),
        *angle_problems(survey.labels["head"], "head"),
        *gaze_problems(measured.gaze, irises),
        *landmark_problems(measured, irises),
    ]


def file_problems(survey: Survey) -> list[str]:
    """Missing, broken, empty and repeated pictures."""
    found = []
    if survey.missing:
        found.append(f"{len(survey.missing)} files are missing: {_first(survey.missing)}.")
    if survey.bad:
        found.append(
            f"{len(survey.bad)} of {survey.read} samples read are broken: "
            f"{_first([str(bad) for bad in survey.bad])}."
        )
    flat = survey.flat / survey.eyes_read
    if flat > FEW_FLAT:
        much = "Nearly all" if flat > 0.9 else "Most" if flat > MANY_FLAT else f"{flat:.0%} of the"
        found.append(f"{much} pictures are black or of one grey ({survey.flat} of {survey.eyes_read}).")
    if survey.duplicates > FEW_DUPLICATES * survey.eyes_read:
        found.append(
            f"{survey.duplicates} of {survey.eyes_read} eyes repeat an earlier picture, pixel by pixel."
        )
    return found


def angle_problems(angles: Array, name: str) -> list[str]:
    """Reasons why angles (N, 2) cannot be pitch and yaw in radians, or are useless."""
    if len(angles) < 2:
        return []
    if (np.abs(angles) > np.pi / 2).mean() > DEGREES:
        return [
            f"The {name} labels reach {np.abs(angles).max():.0f}: they seem degrees, not radians as expected."
        ]
    spread = angles.std(axis=0).max()
    if spread < CONSTANT:
        pitch, yaw = angles.mean(axis=0)
        return [f"The {name} labels are constant: all are pitch {pitch:.3f}, yaw {yaw:.3f} radians."]
    if spread < TINY:
        return [
            f"The {name} labels vary by {np.degrees(spread):.2f} degrees only: were they turned from degrees "
            "to radians twice?"
        ]
    return []


def gaze_problems(gaze: Array, irises: Irises) -> list[str]:
    """Contradictions between gaze labels (N, 2) and the irises in the pictures."""
    seen = following(gaze, irises)
    turn = np.nanstd(gaze, axis=0) if seen.eyes else np.zeros(2)
    if seen.eyes < FEWEST_EYES or turn.max() < LEAST_TURN:
        return []
    own = np.nan_to_num([seen.x_yaw, seen.y_pitch])
    crossed = np.nan_to_num([seen.x_pitch, seen.y_yaw])
    contradicts = max(CONTRADICTS, CHANCE / np.sqrt(seen.eyes))
    swapped = crossed[np.abs(crossed).argmax()]
    if abs(swapped) > contradicts and abs(swapped) > 2 * np.abs(own).max():
        sign = "" if swapped < 0 else ", and a sign is wrong too"
        return [
            f"Gaze pitch and yaw look swapped{sign}: irises move sideways with pitch (correlation "
            f"{crossed[0]:+.2f}) or up with yaw ({crossed[1]:+.2f}), rather than with their own angle."
        ]
    found = []
    if own[0] > contradicts:
        found.append(
            "Gaze yaw and iris position disagree: yaw > 0 is to the left, but irises move right with it "
            f"(correlation {own[0]:+.2f}). Either the sign of yaw is wrong, or the pictures are mirrored and "
            "the labels are not."
        )
    if own[1] > contradicts:
        found.append(
            "Gaze pitch and iris height disagree: pitch > 0 is up, but irises move down with it "
            f"(correlation {own[1]:+.2f}). The sign of pitch is wrong, or the pictures are upside down."
        )
    # Irises follow shuffled labels in neither direction; in one direction they may fail on a good set.
    if not found and min(own) > FOLLOWS:
        found.append(
            f"Irises do not follow the gaze labels (correlation with yaw {own[0]:+.2f}, with pitch "
            f"{own[1]:+.2f}; -1 is best): the labels may be shuffled, or those of other pictures."
        )
    return found


def landmark_problems(eyes: Eyes, irises: Irises) -> list[str]:
    """Contradictions between landmarks and the pictures or the convention."""
    rows = eyes.has_landmarks
    if rows.sum() < 2:
        return []
    landmarks = eyes.landmarks[rows]
    height, width = eyes.image.shape[1:3]
    if np.abs(landmarks).max() < SHARES:
        return [
            "All landmarks lie within 2 pixels: they look like shares of the picture; pixels are expected."
        ]
    found = []
    center = landmarks[:, 16]
    outside = ((center < 0) | (center > [width - 1, height - 1])).any(axis=1).mean()
    if outside > 0.5:
        return [f"{outside:.0%} of the iris landmarks lie outside the {width} x {height} pictures."]
    if np.median(landmarks[:, 4, 0] - landmarks[:, 0, 0]) < 0:
        found.append("The inner corner seems to be on the right: landmarks 0 lie right of landmarks 4.")
    if np.median(landmarks[:, 6, 1] - landmarks[:, 2, 1]) < 0:
        found.append("The landmarks are upside down: the upper lid's lie below the lower lid's.")
    clear = (irises.clear & rows)[rows]
    labelled, seen = labelled_irises(eyes), irises.center[rows][clear]
    place = labelled.center[rows][clear]
    if clear.sum() < FEWEST_EYES:
        return found
    if spearmanr(place[:, 0], seen[:, 0]).statistic < FOLLOWS:
        found.append(
            "Iris landmarks go left where irises go right: the pictures are mirrored and the landmarks are "
            "not, or the other way round."
        )
    else:
        off = float(np.median(np.abs(place[:, 0] - seen[:, 0]) / irises.radius[rows][clear]))
        if off > BESIDE:
            found.append(f"Landmarks lie beside the eyes: irises are {off:.1f} iris radii away from theirs.")
    return found


def notes(survey: Survey, gaze: Array, irises: Irises) -> list[str]:
    """Facts about a set that are no mistakes, one sentence each."""
    known = []
    person, *others = survey.counts
    if not others and person not in DATA_SETS:  # a data set without persons puts its name in their place
        known.append(f"All eyes are of one person ({person}): other persons may differ.")
    seen = following(gaze, irises)
    if seen.eyes >= FEWEST_EYES and not gaze_problems(gaze, irises):
        known += [
            f"The sign of gaze {angle} cannot be checked: irises hardly follow it ({value:+.2f})."
            for angle, value in (("yaw", seen.x_yaw), ("pitch", seen.y_pitch))
            if value > FOLLOWS
        ]
    if 0 < seen.eyes < FEWEST_EYES:
        known.append(f"Signs cannot be checked: only {seen.eyes} clear eyes have gaze labels.")
    return known


def angle_columns(survey: Survey) -> dict[str, NDArray[np.float32]]:
    """All known angles (N,) in radians, by their names in MPIIGAZE."""
    return {
        f"{label} {angle}": values[:, column]
        for label, values in survey.labels.items()
        for column, angle in enumerate(("pitch", "yaw"))
        if len(values)
    }


def _first(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
