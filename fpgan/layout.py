"""Where the pipeline's files lie, relative to the project's root."""

import os
from dataclasses import dataclass
from pathlib import Path

from fpgan.domains import Direction, TrainedOn

SAMPLE = Path("data/sample")
CHECKPOINTS = Path(".fpgan/checkpoints")
LOCKS = Path(".fpgan/locks")
PREPARED_SYNTHETIC = Path("data/prepared/synthetic/eyes.h5")
PREPARED_REAL = Path("data/prepared/real/eyes.h5")
ADAPTED = Path("data/adapted/eyes.h5")
RESULTS = Path("results")
EVALUATION = RESULTS / "evaluate" / "evaluation.safetensors"
REGISTERED = Path("models/registered")


def project_root() -> Path:
    """The project's folder.

    Under DVC: the project that DVC runs this process for, also when it runs it in a copy, as for queued
    experiments. Otherwise: the nearest folder upwards with a `.dvc`, or else the current folder.
    """
    if root := os.environ.get("DVC_ROOT"):
        return Path(root)
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)


@dataclass(frozen=True)
class Branch:
    """The default pipeline, or one that runs beside it; where results differ it has files of its own."""

    variant: str | None = None
    """Name of the parameters' variant in an ablation."""
    test_person: str | None = None
    """The only test person, when each person is left out in turn."""

    @property
    def folder(self) -> Path:
        """Folder of its own files below models, translated sets and results; '.' for the default pipeline."""
        if self.variant:
            return Path("ablation") / self.variant
        return Path("cross_person") / self.test_person if self.test_person else Path()

    @property
    def name(self) -> str:
        """Its name in reports."""
        return self.folder.as_posix() if self.labels else "default"

    @property
    def labels(self) -> dict[str, str]:
        """Tags that distinguish its runs from others."""
        named = {"variant": self.variant, "test_person": self.test_person}
        return {key: value for key, value in named.items() if value}

    def results(self, stage: str) -> Path:
        """Folder of metrics, tables and pictures of a stage that covers all seeds.

        The folders of all variants, or of all left-out persons, lie in one folder, so that the stage that
        compares them depends on that one.
        """
        return RESULTS / self.folder.parent / stage / self.folder.name


@dataclass(frozen=True)
class Trial:
    """The trainings of a branch from one seed."""

    branch: Branch
    seed: int

    @property
    def labels(self) -> dict[str, str]:
        """Tags that distinguish its runs from others."""
        return self.branch.labels | {"seed": str(self.seed)}

    def results(self, stage: str) -> Path:
        """Folder of metrics, tables and pictures of a stage."""
        return self.branch.results(stage) / str(self.seed)

    def generator(self, direction: Direction) -> Path:
        """Weights of the generator for a direction: G for s2r, F for r2s."""
        folder = Path("models") / self.branch.folder / "gan" / str(self.seed)
        return folder / f"{direction.generator}.safetensors"

    def translated(self, direction: Direction) -> Path:
        """The eye set that the generator for a direction made."""
        return Path("data/translated") / self.branch.folder / direction / str(self.seed) / "eyes.h5"

    def gaze_net(self, trained_on: TrainedOn) -> Path:
        """Weights of the gaze estimator trained on these eyes."""
        own = trained_on == TrainedOn.TRANSLATED or (trained_on == TrainedOn.REAL and self.branch.test_person)
        folder = self.branch.folder if own else Path()
        return Path("models") / folder / f"gaze-{trained_on}" / str(self.seed) / "gazenet.safetensors"

    @property
    def landmark_net(self) -> Path:
        """Weights of the landmark network."""
        return Path("models") / "landmarks" / str(self.seed) / "landmarks.safetensors"
