"""Runs and the values logged to them. No other package of the project imports MLflow.

An event, such as the metrics of one step, takes this way:

- `run`: an open run, which logs metrics, pictures, warnings, files, tags and child runs
- `system_metrics`: samples of the machine's load, logged between the other events
- `pipeline_run`: the run of a whole pipeline, written by its stages in turn
- `delivery`: the event goes to the store while it answers, else into the journal
- `outage`: how long a store that does not answer is left alone
- `journal`: the file in which events wait
- `sending`: sends waiting events later, for the next run and for `fpgan sync`
- `opening`: begins or resumes a run in the store
- `stored_run`: writes the event into the run in the store, once

Besides, `store` decides where the store is and translates its errors, `query` finds stored runs, `registry`
registers networks, and `views` describes the tables of runs in MLflow's page.
"""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# By default MLflow retries a server for minutes, during which training would wait.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
