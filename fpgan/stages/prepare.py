"""The stages that prepare the eye sets: one per data set of the pipeline."""

from pathlib import Path

from matplotlib.figure import Figure

from fpgan.data.datasets import DATA_SETS, prepare
from fpgan.data.preview import Preview
from fpgan.domains import Domain
from fpgan.figures.eye_sheets import eye_sheet
from fpgan.figures.gaze_figures import gaze_figure
from fpgan.layout import PREPARED_REAL, PREPARED_SYNTHETIC
from fpgan.params import Params
from fpgan.progress import progress_bar
from fpgan.runs.stage import run_stage

PREPARED = {Domain.SYNTHETIC: PREPARED_SYNTHETIC, Domain.REAL: PREPARED_REAL}


def prepare_eyes(params: Params, name: str) -> str:
    """Writes the prepared set, its report and figures; returns a summary and the path of the set.

    `name` is that of a data set with a domain, in `fpgan.data.datasets.DATA_SETS`.
    """
    data_set = DATA_SETS[name]
    assert data_set.domain is not None
    assert data_set.section is not None
    source: Path = getattr(params.data, name)
    section = getattr(params, data_set.section)
    output = PREPARED[data_set.domain]
    with run_stage(
        f"prepare-{name}",
        params,
        sections={data_set.section: section, "eyes": params.eyes},
        inputs={"raw": source},
        output=output.parent,
        description=f"Eye set prepared from {source}.",
    ) as stage:
        with progress_bar("sample") as advance:
            report = prepare(
                data_set, source, stage.output / output.name, params.eyes, section, progress=advance
            )
        (stage.results / "report.json").write_text(report.to_json() + "\n")
        _draw_figures(report.preview, name, stage.results)
        stage.score(
            {
                "eyes": report.eyes,
                "persons": len(report.counts),
                "with_gaze": report.preview.with_gaze,
                "with_landmarks": report.preview.with_landmarks,
                "left_out": report.outside,
                "bad_samples": len(report.bad),
            }
        )
        stage.conclude(f"{report.eyes} eyes", report.summary().replace("\n", "; "))
    return f"{report.summary()}\n{output}"


def _draw_figures(preview: Preview, name: str, folder: Path) -> None:
    """Writes eyes.png, a contact sheet, and gaze.png, the distribution of the gaze labels."""
    shown = preview.eyes
    eye_sheet(shown.image, shown.gaze, shown.landmarks).savefig(folder / "eyes.png")
    if preview.with_gaze:
        gaze = gaze_figure({name: preview.gaze})
    else:
        gaze = Figure(figsize=(4, 1))
        gaze.text(0.05, 0.5, "no gaze labels")
    gaze.savefig(folder / "gaze.png")
