"""The numbers of an evaluation as metrics.json holds them."""

from collections.abc import Mapping
from typing import Any

from fpgan.evaluation.estimates import Estimates
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.evaluation.statistics import PairedDifference, compare, mean_interval

BASELINE = "no_adaptation"


def summarize(
    estimates: Mapping[str, Estimates],
    *,
    protocol: str,
    skipped: Mapping[str, str],
    preservation: Mapping[str, Mapping[str, float]],
    quality: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """What metrics.json says of estimates by protocol, in the order of `PROTOCOLS`.

    `protocol` says in words how the numbers came about, `skipped` why protocols have none. All errors are in
    degrees; intervals hold 95 %. Numbers of several protocols on R are compared with no adaptation.
    """
    known = {name: estimates[name] for name in PROTOCOLS if name in estimates}
    return {
        "protocol": protocol,
        "gaze_error_degrees": {name: _errors(found) for name, found in known.items()},
        "against_no_adaptation": {
            name: _difference(compare(found, known[BASELINE]))
            for name, found in known.items()
            if BASELINE in known and name != BASELINE and PROTOCOLS[name].tested_on == "R"
        },
        "skipped": dict(skipped),
        "preservation": {direction: dict(kept) for direction, kept in preservation.items()},
        "quality": {direction: dict(measured) for direction, measured in quality.items()},
    }


def headline(scores: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Those of the summary that tell experiments apart at a glance, under names short enough for a table.

    Mean gaze errors on R and gaze drifts in degrees, landmark drifts in pixels.
    """
    return {
        "gaze_error": {
            name: found["mean"]
            for name, found in scores["gaze_error_degrees"].items()
            if PROTOCOLS[name].tested_on == "R" and name != "mean_gaze"
        },
        "gaze_drift": {
            direction: kept["gaze_drift_degrees"] for direction, kept in scores["preservation"].items()
        },
        "landmark_drift": {
            direction: kept["landmark_drift_pixels"] for direction, kept in scores["preservation"].items()
        },
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
