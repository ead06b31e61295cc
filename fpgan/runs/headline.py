"""A stage's run in MLflow's list: a name that says what became of it, and two lines of what it did."""

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
    """What tells a run from others of its stage, in words."""
    return [f"seed {label}" if key == "seed" else label for key, label in belongs_to.labels.items()]


def command_tags() -> dict[str, str]:
    """The command, and its name for MLflow's page, which shows only what follows the last slash."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return {
        "command": " ".join(words),
        "mlflow.source.name": " ".join(words[:2]),
        "mlflow.source.type": "LOCAL",
    }


class Headline:
    """Name and description of a stage's run.

    What came out stands right behind the stage, as MLflow's list shows some twenty letters of a name.
    """

    def __init__(self, stage: str, labels: list[str], description: str) -> None:
        self.stage = stage
        self.description = description
        self.outcome = ""
        self._labels = labels
        self._run: Run | None = None

    def name(self, mark: str = "") -> str:
        """The run's name; `mark` is a word before all others."""
        return DOT.join(part for part in (mark, self.stage, self.outcome, *self._labels) if part)

    @contextmanager
    def of(self, run: Run, *, resumed: bool) -> Iterator[None]:
        """Names a run while the block lasts; how it ended badly becomes the first word."""
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
        """Puts the outcome, a number or two, into the name, and a sentence of it under the description."""
        assert self._run, "concluded before it began"
        self.outcome = outcome
        self._run.tag(RUN_NAME, self.name())
        self._run.tag(RUN_NOTE, f"{self.description}  \n{sentence}")
