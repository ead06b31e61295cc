"""The numbers of an evaluation as metrics.json holds them, and the few that sum it up."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fpgan.evaluation.estimates import Estimates
from fpgan.evaluation.protocols import BASELINE, HEADLINE, PROTOCOLS
from fpgan.evaluation.statistics import PairedDifference, compare, mean_interval
from fpgan.wording import spaced


def summarize(
    estimates: Mapping[str, Estimates],
    *,
    protocol: str,
    skipped: Mapping[str, str],
    preservation: Mapping[str, Mapping[str, float]],
    quality: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The content of metrics.json for estimates by protocol, in the order of `PROTOCOLS`.

    `protocol` describes in words how the numbers were measured, `skipped` why some protocols have none. All
    errors are in degrees; intervals are at 95 %. Protocols tested on R are compared with `BASELINE`.
    """
    known = {name: estimates[name] for name in PROTOCOLS if name in estimates}
    return {
        "protocol": protocol,
        "gaze_error_degrees": {name: _errors(found) for name, found in known.items()},
        "against_no_adaptation": {
            name: _difference(compare(found, known[BASELINE]))
            for name, found in known.items()
            if BASELINE in known and name != BASELINE and PROTOCOLS[name].on_real
        },
        "skipped": dict(skipped),
        "preservation": {direction: dict(kept) for direction, kept in preservation.items()},
        "quality": {direction: dict(measured) for direction, measured in quality.items()},
    }


def headline(scores: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The few numbers of the summary that distinguish experiments, under names short enough for a table.

    Mean gaze errors on R and gaze drifts in degrees, landmark drifts in pixels.
    """
    return {
        "gaze_error": {
            name: found["mean"]
            for name, found in scores["gaze_error_degrees"].items()
            if PROTOCOLS[name].on_real and not PROTOCOLS[name].is_constant
        },
        "gaze_drift": {
            direction: kept["gaze_drift_degrees"] for direction, kept in scores["preservation"].items()
        },
        "landmark_drift": {
            direction: kept["landmark_drift_pixels"] for direction, kept in scores["preservation"].items()
        },
    }


def conclusion(scores: Mapping[str, Any]) -> tuple[str, str]:
    """The outcome of metrics.json, in a word or two and in a sentence."""
    means = {name: errors["mean"] for name, errors in scores["gaze_error_degrees"].items()}
    if not {HEADLINE, BASELINE} <= set(means):
        return "no labels", "The real test eyes have no gaze labels."
    listed = ", ".join(f"{spaced(name)} {mean:.2f}" for name, mean in means.items())
    return f"{spaced(HEADLINE)} {means[HEADLINE]:.2f}° of {means[BASELINE]:.2f}°", f"Degrees: {listed}."


def nested_means(values: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    """The mean of every number in nested dicts with the same keys."""
    first = values[0]
    return {
        key: nested_means([one[key] for one in values])
        if isinstance(first[key], dict)
        else float(np.mean([one[key] for one in values]))
        for key in first
    }


def _errors(estimates: Estimates) -> dict[str, Any]:
    interval = mean_interval(estimates)
    return {
        "mean": estimates.mean,
        "spread": estimates.spread,
        "low": interval.low,
        "high": interval.high,
        "over": interval.over,
        "median": estimates.median,
        "share_under_5": estimates.share_under(5),
        "share_under_7": estimates.share_under(7),
        "eyes": len(estimates.person),
        "persons": len(estimates.persons),
        "seeds": estimates.seeds,
    }


def _difference(comparison: PairedDifference) -> dict[str, Any]:
    return {
        "difference": comparison.difference,
        "low": comparison.low,
        "high": comparison.high,
        "over": comparison.over,
        "p": comparison.p,
        "persons_improved": comparison.improved,
        "verdict": comparison.verdict,
        "caveats": comparison.caveats,
    }
