"""A stage's run in MLflow's list: a name that shows its outcome, and a description of two lines."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fpgan.errors import Interrupted
from fpgan.layout import Branch, Trial
from fpgan.tracking.run import Run

RUN_NAME, RUN_NOTE = "mlflow.runName", "mlflow.note.content"
DOT = " \N{MIDDLE DOT} "


def labels_of(belongs_to: Branch | Trial) -> list[str]:
    """The words that distinguish a run from other runs of its stage."""
    return [f"seed {label}" if key == "seed" else label for key, label in belongs_to.labels.items()]


def command_tags() -> dict[str, str]:
    """Tags of the command; MLflow's page shows only the part of a source name after the last slash."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return {
        "command": " ".join(words),
        "mlflow.source.name": " ".join(words[:2]),
        "mlflow.source.type": "LOCAL",
    }


class Headline:
    """Name and description of a stage's run.

    The outcome directly follows the stage because MLflow's list shows only some twenty letters of a name.
    """

    def __init__(self, stage: str, labels: list[str], description: str) -> None:
        self.stage = stage
        self.description = description
        self.outcome = ""
        self._labels = labels
        self._run: Run | None = None

    def name(self, mark: str = "") -> str:
        """The run's name; `mark` is its first word."""
        return DOT.join(part for part in (mark, self.stage, self.outcome, *self._labels) if part)

    @contextmanager
    def of(self, run: Run, *, resumed: bool) -> Iterator[None]:
        """Names a run during the block; the name of a run that fails or is stopped begins with that word."""
        self._run = run
        if resumed:
            self._labels = [*self._labels, "resumed"]
            run.tag(RUN_NAME, self.name())
        try:
            yield
        except (Interrupted, KeyboardInterrupt):
            run.tag(RUN_NAME, self.name("stopped"))
            raise
        except BaseException:
            run.tag(RUN_NAME, self.name("failed"))
            raise

    def conclude(self, outcome: str, sentence: str) -> None:
        """Adds the outcome, one or two numbers, to the name, and a sentence about it to the description."""
        assert self._run, "concluded before it began"
        self.outcome = outcome
        self._run.tag(RUN_NAME, self.name())
        self._run.tag(RUN_NOTE, f"{self.description}  \n{sentence}")
