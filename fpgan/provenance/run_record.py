"""run.json: the MLflow run that made the files beside it. DVC keeps and restores it along with them."""

import json
import re
from pathlib import Path

from fpgan.errors import InputError

NAME = "run.json"
RUN_ID = re.compile(r"[\w-]+")


def write_record(folder: Path, run_id: str, stage: str) -> None:
    """Records the run that made the files in a folder."""
    (folder / NAME).write_text(json.dumps({"run_id": run_id, "stage": stage}) + "\n")


def recorded_run(path: Path) -> str | None:
    """The id of the run that made a file or folder; None without a record.

    Raises InputError for a broken record.
    """
    for record in (path.parent / NAME, path / NAME):
        if record.is_file():
            return _run_id(record)
    return None


def _run_id(record: Path) -> str:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{record}: cannot be read ({error}); {_remedy(record)}") from None
    run_id = content.get("run_id") if isinstance(content, dict) else None
    if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
        raise InputError(f'{record}: contains no "run_id" of an MLflow run; {_remedy(record)}')
    return run_id


def _remedy(record: Path) -> str:
    return f"restore it with `dvc checkout --force {record}`, or remove it: its files then name no run"
