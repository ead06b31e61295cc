"""The figures of an evaluation, saved in one folder."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fpgan.domains import Direction, Domain
from fpgan.evaluation.estimates import Estimates
from fpgan.evaluation.examine import Sets, Translation
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.figures.error_figures import error_distributions, error_maps, person_errors
from fpgan.figures.eye_sheets import translation_sheet
from fpgan.figures.gaze_figures import gaze_figure


def save_error_figures(folder: Path, estimates: Mapping[str, Estimates], sets: Sets) -> None:
    """Saves the figures of gaze errors, and of gaze itself."""
    error_distributions(estimates).savefig(folder / "gaze_errors.png")
    tested = sets.tested(Domain.REAL)
    on_real = {name: found for name, found in estimates.items() if PROTOCOLS[name].on_real}
    if on_real:
        person_errors(on_real).savefig(folder / "person_errors.png")
        error_maps(on_real, tested.gaze, "gaze").savefig(folder / "errors_by_gaze.png")
        if np.isfinite(tested.head).all(axis=1).any():
            error_maps(on_real, tested.head, "head").savefig(folder / "errors_by_head_pose.png")
    gazes = {
        "synthetic (S)": sets.synthetic.training.gaze,
        "adapted (S)": sets.adapted.training.gaze,
        "real (R)": tested.gaze,
    }
    gaze_figure({name: gaze for name, gaze in gazes.items() if len(gaze)}).savefig(
        folder / "gaze_distributions.png"
    )


def save_translation_sheets(folder: Path, translations: Mapping[Direction, Translation]) -> None:
    """Saves one sheet per direction of test eyes and their translations."""
    for direction, found in translations.items():
        translation_sheet(
            found.source.image,
            found.translated,
            gaze=found.source.gaze,
            gaze_after=found.after.gaze,
            landmarks_before=found.before.landmarks,
            landmarks_after=found.after.landmarks,
        ).savefig(folder / f"translations_{direction}.png")
