"""Where the pipeline's files lie, relative to the project's root."""

import os
from dataclasses import dataclass
from pathlib import Path

SAMPLE = Path("data/sample")
CHECKPOINTS = Path(".fpgan/checkpoints")
LOCKS = Path(".fpgan/locks")
PREPARED_SYNTHETIC = Path("data/prepared/synthetic/eyes.h5")
PREPARED_REAL = Path("data/prepared/real/eyes.h5")
ADAPTED = Path("data/adapted/eyes.h5")
RESULTS = Path("results")
GENERATORS = {"s2r": "G", "r2s": "F"}
EVALUATION = RESULTS / "evaluate" / "evaluation.h5"
REGISTERED = Path("models/registered")


def project_root() -> Path:
    """The project that DVC runs this process for, also where it does so in a copy, as for queued experiments.

    Not run by DVC: the nearest folder upwards that DVC was initialised in, else the current one.
    """
    if root := os.environ.get("DVC_ROOT"):
        return Path(root)
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)


@dataclass(frozen=True)
class Branch:
    """The default pipeline, or one that runs beside it and has files of its own where they differ."""

    variant: str | None = None
    """Of the parameters, for an ablation."""
    test_person: str | None = None
    """The only person tested on, where each is left out in turn."""

    @property
    def folder(self) -> Path:
        """Of its own files, below models, translated sets and results; '.' for the default pipeline."""
        if self.variant:
            return Path("ablation") / self.variant
        return Path("cross_person") / self.test_person if self.test_person else Path()

    @property
    def name(self) -> str:
        """As reports call it."""
        return self.folder.as_posix() if self.labels else "default"

    @property
    def labels(self) -> dict[str, str]:
        """What tells its runs from others."""
        named = {"variant": self.variant, "test_person": self.test_person}
        return {key: value for key, value in named.items() if value}

    def results(self, stage: str) -> Path:
        """Metrics, tables and pictures of a stage that concerns all seeds.

        Those of all variants, or of all left-out persons, lie in one folder, on which what compares them
        depends.
        """
        return RESULTS / self.folder.parent / stage / self.folder.name


@dataclass(frozen=True)
class Trial:
    """A branch's trainings from one seed."""

    branch: Branch
    seed: int

    @property
    def labels(self) -> dict[str, str]:
        """What tells its runs from others."""
        return self.branch.labels | {"seed": str(self.seed)}

    def results(self, stage: str) -> Path:
        """Metrics, tables and pictures of a stage."""
        return self.branch.results(stage) / str(self.seed)

    def generator(self, direction: str) -> Path:
        """Weights of G ('s2r') or F ('r2s')."""
        return (
            Path("models")
            / self.branch.folder
            / "gan"
            / str(self.seed)
            / f"{GENERATORS[direction]}.safetensors"
        )

    def translated(self, direction: str) -> Path:
        """The eye set that a generator made."""
        return Path("data/translated") / self.branch.folder / direction / str(self.seed) / "eyes.h5"

    def gaze_net(self, trained_on: str) -> Path:
        """The gaze estimator trained on 'synthetic', 'adapted', 'translated' or 'real' eyes."""
        own = trained_on == "translated" or (trained_on == "real" and self.branch.test_person)
        folder = self.branch.folder if own else Path()
        return Path("models") / folder / f"gaze-{trained_on}" / str(self.seed) / "gazenet.safetensors"

    @property
    def landmark_net(self) -> Path:
        return Path("models") / "landmarks" / str(self.seed) / "landmarks.safetensors"
