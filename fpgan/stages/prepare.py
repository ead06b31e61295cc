"""Prepares the eye set of either domain from its raw folder or an HDF5 file."""

from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure

from fpgan.data.datasets import prepare
from fpgan.data.eye_set import load_eyes
from fpgan.data.eyes import spread_rows
from fpgan.figures.eye_sheets import eye_sheet
from fpgan.figures.gaze_figures import gaze_figure
from fpgan.layout import PREPARED_REAL, PREPARED_SYNTHETIC
from fpgan.params import Params
from fpgan.progress import progress_bar
from fpgan.runs.stage import run_stage

SHEET = 24  # eyes on the contact sheet


def prepare_eyes(params: Params, dataset: Literal["unityeyes", "mpiifacegaze"]) -> str:
    """Writes the prepared set, its report and a contact sheet; returns what it wrote, in words."""
    synthetic = dataset == "unityeyes"
    source: Path = params.data.unityeyes if synthetic else params.data.mpiifacegaze
    section = params.prepare_unityeyes if synthetic else params.prepare_mpiifacegaze
    output = PREPARED_SYNTHETIC if synthetic else PREPARED_REAL
    name = f"prepare-{dataset}"
    with run_stage(
        name,
        params,
        sections={name.replace("-", "_"): section, "eyes": params.eyes},
        inputs={"raw": source},
        output=output.parent,
        description=f"Eye set prepared from {source}.",
    ) as stage:
        with progress_bar("sample") as advance:
            report = prepare(source, stage.output / output.name, params.eyes, section, progress=advance)
        (stage.results / "report.json").write_text(report.to_json() + "\n")
        eyes = load_eyes(stage.output / output.name)
        shown = eyes.select(spread_rows(len(eyes), SHEET))
        eye_sheet(shown.image, shown.gaze, shown.landmarks).savefig(stage.results / "eyes.png")
        if eyes.has_gaze.any():
            gaze_figure({dataset: eyes.gaze[eyes.has_gaze]}).savefig(stage.results / "gaze.png")
        else:
            empty = Figure(figsize=(4, 1))
            empty.text(0.05, 0.5, "no gaze labels")
            empty.savefig(stage.results / "gaze.png")
        stage.score(
            {
                "eyes": report.eyes,
                "persons": len(report.counts),
                "with_gaze": int(eyes.has_gaze.sum()),
                "with_landmarks": int(eyes.has_landmarks.sum()),
                "left_out": report.outside,
                "bad_samples": len(report.bad),
            }
        )
        stage.conclude(f"{report.eyes} eyes", report.summary().replace("\n", "; "))
    return f"{report.summary()}\n{output}"
