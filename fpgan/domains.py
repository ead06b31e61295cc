"""The vocabulary of domains: synthetic and real eyes, translation, eyes to train and test on."""

from enum import StrEnum


class Domain(StrEnum):
    """Where eyes come from."""

    SYNTHETIC = "synthetic"
    REAL = "real"

    @property
    def letter(self) -> str:
        """As in papers: S or R."""
        return self.value[0].upper()


class Direction(StrEnum):
    """A direction of translation."""

    S2R = "s2r"
    R2S = "r2s"

    @property
    def source(self) -> Domain:
        return Domain.SYNTHETIC if self is Direction.S2R else Domain.REAL

    @property
    def target(self) -> Domain:
        return self.opposite.source

    @property
    def opposite(self) -> "Direction":
        """The way back."""
        return Direction.R2S if self is Direction.S2R else Direction.S2R

    @property
    def generator(self) -> str:
        """Name of the generator for this direction: G: S -> R, F: R -> S."""
        return "G" if self is Direction.S2R else "F"

    @property
    def meaning(self) -> str:
        return f"{self.source} to {self.target}"


class TrainedOn(StrEnum):
    """The eyes that a gaze estimator is trained on."""

    SYNTHETIC = "synthetic"
    ADAPTED = "adapted"
    TRANSLATED = "translated"
    REAL = "real"

    @property
    def meaning(self) -> str:
        """In the letters of the domains."""
        return {
            TrainedOn.SYNTHETIC: "S",
            TrainedOn.ADAPTED: "adapted S",
            TrainedOn.TRANSLATED: "adapted S translated to R",
            TrainedOn.REAL: "R",
        }[self]


class TestedOn(StrEnum):
    """The test eyes that a gaze estimator is tested on."""

    SYNTHETIC = "synthetic"
    TRANSLATED = "translated"
    REAL = "real"

    @property
    def domain(self) -> Domain:
        """Where the eyes and their labels come from; translation changes neither."""
        return Domain.SYNTHETIC if self is TestedOn.SYNTHETIC else Domain.REAL

    @property
    def meaning(self) -> str:
        """In the letters of the domains."""
        return "R translated to S" if self is TestedOn.TRANSLATED else self.domain.letter
