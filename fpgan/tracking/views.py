"""Tables of runs that MLflow's page offers under 'Views': wide names, and the most important columns."""

import json
import time
from typing import Any

NAME, CREATED, DURATION = "attributes.`Run Name`", "runDateAndNestInfo", "attributes.`Duration`"
NUMBERS = {  # column and its width in pixels
    "metrics.`gaze_error_degrees/forward/mean`": 150,
    "metrics.`gaze_error_degrees/no_adaptation/mean`": 150,
    "metrics.`s2r/gaze_drift_degrees`": 130,
    "metrics.`validation_error_degrees`": 130,
    "params.`train_gan.steps`": 110,
    "params.`train_gan.weights.gaze`": 140,
    "params.`seed`": 60,
}
CURVES = ("s2r", "r2s", "real", "loss", "D_R", "D_S")


def saved_views() -> dict[str, str]:
    """Tags of an experiment that hold the views, in the form in which MLflow's page saves them.

    'stages' lists the runs of all stages by name. 'pipelines' has one line per pipeline, which unfolds into
    its stages. 'trainings' is for charts of the GAN trainings: large translations by step, then curves.
    """
    widths = {NAME: 340, CREATED: 130, DURATION: 80} | NUMBERS
    columns = {
        "selectedColumns": [DURATION, *NUMBERS],
        "columnOrder": list(widths),
        "columnWidths": widths,
    }
    by_name = {"orderByKey": "tags.`mlflow.runName`", "orderByAsc": True}
    stages = columns | by_name | {"searchFilter": "tags.stage != 'pipeline'"}
    trainings = columns | by_name | {"searchFilter": "tags.stage = 'train-gan'"} | _translations_first()
    return _view("stages", stages) | _view("trainings", trainings) | _view("pipelines", columns)


def _translations_first() -> dict[str, Any]:
    """Charts of translations, then of the metrics that begin with `CURVES`, which MLflow's page draws."""
    names = ["translations/s2r", "translations/r2s"]
    drawn = {"deleted": False, "isGenerated": True}
    shown = {"type": "IMAGE", "metricSectionId": "translations", "showRunParams": False, "step": 0} | drawn
    section = {"display": True, "isReordered": True} | drawn
    return {
        "compareRunCharts": [{"uuid": name, "imageKeys": [name]} | shown for name in names],
        "compareRunSections": [
            {"uuid": "translations", "name": "translations", "columns": 2, "cardHeight": 500} | section,
            *({"uuid": name, "name": name} | section for name in CURVES),
        ],
        "isAccordionReordered": True,
    }


def _view(name: str, state: dict[str, Any]) -> dict[str, str]:
    now = round(time.time() * 1000)
    saved = {"name": name, "createdAt": now, "updatedAt": now, "state": json.dumps(state)}
    return {f"mlflow.sharedViewState.{name}": json.dumps(saved)}
