"""Views of runs that MLflow's page offers under 'Views': wide names, and the numbers that matter."""

import json
import time
from typing import Any

NAME, CREATED, DURATION = "attributes.`Run Name`", "runDateAndNestInfo", "attributes.`Duration`"
NUMBERS = {  # column and its width in pixels
    "metrics.`gaze_error_degrees/forward/mean`": 150,
    "metrics.`gaze_error_degrees/no_adaptation/mean`": 150,
    "metrics.`s2r/gaze_drift_degrees`": 150,
    "metrics.`validation_error_degrees`": 150,
    "params.`train_gan.steps`": 150,
    "params.`train_gan.weights.gaze`": 150,
    "params.`seed`": 60,
}


def saved_views() -> dict[str, str]:
    """Tags of an experiment that make the views, as MLflow's page saves them.

    'stages' lists the runs of all stages by name. 'pipelines' has one line a pipeline, under which its stages
    unfold.
    """
    widths = {NAME: 400, CREATED: 130, DURATION: 80} | NUMBERS
    columns = {
        "selectedColumns": [DURATION, *NUMBERS],
        "columnOrder": list(widths),
        "columnWidths": widths,
    }
    by_name = {
        "orderByKey": "tags.`mlflow.runName`",
        "orderByAsc": True,
        "searchFilter": "tags.stage != 'pipeline'",
    }
    return _view("stages", columns | by_name) | _view("pipelines", columns)


def _view(name: str, state: dict[str, Any]) -> dict[str, str]:
    now = round(time.time() * 1000)
    saved = {"name": name, "createdAt": now, "updatedAt": now, "state": json.dumps(state)}
    return {f"mlflow.sharedViewState.{name}": json.dumps(saved)}
