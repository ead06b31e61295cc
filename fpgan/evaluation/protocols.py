"""The protocols of an evaluation: what each estimator is trained and tested on, and how its errors are shown.

`PROTOCOLS` is the only list of them: evaluation, reports, figures, comparison and deployment read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from fpgan.data.eyes import Eyes
from fpgan.domains import Direction, Domain, TestedOn, TrainedOn
from fpgan.wording import spaced


class Style(NamedTuple):
    """How a protocol is drawn in every figure, in matplotlib's terms."""

    color: str
    line: str
    marker: str


@dataclass(frozen=True)
class Protocol:
    """Which gaze estimates are tested on which eyes.

    The estimates come from an estimator, or are the mean of other protocols' estimates (`average_of`). With
    neither, every test eye gets the mean gaze of the training eyes.
    """

    trained_on: TrainedOn | None
    tested_on: TestedOn
    style: Style | None
    """None: in tables only."""
    average_of: tuple[str, ...] = ()
    """Names of protocols tested on the same eyes, listed before this one."""

    @property
    def is_constant(self) -> bool:
        """Whether the estimate is the same for all eyes."""
        return self.trained_on is None and not self.average_of

    @property
    def on_real(self) -> bool:
        """Whether the test eyes come from real persons, translated or not."""
        return self.tested_on.domain is Domain.REAL

    @property
    def uses_real_labels(self) -> bool:
        """Whether gaze labels of real training eyes are used: it is then a reference for the others."""
        own = self.trained_on is TrainedOn.REAL or (self.is_constant and self.on_real)
        return own or any(PROTOCOLS[part].uses_real_labels for part in self.average_of)

    @property
    def translators(self) -> set[Direction]:
        """The directions of translation that the estimates depend on."""
        own = {Direction.S2R} if self.trained_on is TrainedOn.TRANSLATED else set()
        own |= {Direction.R2S} if self.tested_on is TestedOn.TRANSLATED else set()
        return own.union(*(PROTOCOLS[part].translators for part in self.average_of))

    @property
    def meaning(self) -> str:
        """In words and in the letters of the domains."""
        if self.average_of:
            return f"{' and '.join(map(spaced, self.average_of))} averaged"
        estimates = f"trained on {self.trained_on.meaning}" if self.trained_on else "always the mean gaze"
        return f"{estimates}, tested on {self.tested_on.meaning}"


# Colours of Okabe and Ito, which colour-blind people can distinguish.
PROTOCOLS = {
    "mean_gaze": Protocol(None, TestedOn.REAL, Style("0.55", ":", "x")),
    "no_adaptation": Protocol(TrainedOn.SYNTHETIC, TestedOn.REAL, Style("black", "-", "o")),
    "adaptive_data": Protocol(TrainedOn.ADAPTED, TestedOn.REAL, Style("#CC79A7", "-", "P")),
    "forward": Protocol(TrainedOn.TRANSLATED, TestedOn.REAL, Style("#0072B2", "-", "^")),
    "backward": Protocol(TrainedOn.ADAPTED, TestedOn.TRANSLATED, Style("#D55E00", "-", "v")),
    "both": Protocol(None, TestedOn.REAL, Style("#009E73", "-", "D"), average_of=("forward", "backward")),
    "real_bound": Protocol(TrainedOn.REAL, TestedOn.REAL, Style("#E69F00", "--", "s")),
    # Its errors are so large that a figure would squeeze all others to one side.
    "mean_gaze_synthetic": Protocol(None, TestedOn.SYNTHETIC, None),
    "synthetic": Protocol(TrainedOn.SYNTHETIC, TestedOn.SYNTHETIC, Style("#56B4E9", "-.", "*")),
}

BASELINE = "no_adaptation"
"""The protocol that the others are compared with."""
HEADLINE = "forward"
"""The protocol that stands for an evaluation when there is room for only one number."""


class Conditions(NamedTuple):
    """What all numbers of an evaluation have in common."""

    real: Eyes
    """The test persons' eyes with gaze labels."""
    synthetic: Eyes
    """The synthetic test eyes with gaze labels."""
    eye: Literal["both", "evaluated", "left", "right"] | None
    """Which eye of each real picture; None if the set was given as prepared eyes."""
    validation_persons: Sequence[str]
    """Real persons with labels on whom epochs are chosen; empty if training eyes are set aside for that."""
    test_pictures_seen: bool
    """Whether the translator was trained on the test persons' pictures, without labels."""
    adapted_to: Sequence[str] = ()
    """Test persons from whose unlabelled pictures labels and framing of adapted S were estimated."""


def describe_all(conditions: Conditions) -> str:
    """What all numbers have in common; `Protocol.meaning` says how they differ."""
    return " ".join(
        [
            _real_test(conditions),
            _seen(conditions.test_pictures_seen),
            *_adapted(conditions.adapted_to),
            _chosen(conditions.validation_persons),
            _synthetic_test(conditions),
        ]
    )


def describe_cross_person(
    persons: Sequence[str], eyes: int, *, test_pictures_seen: bool, adapted_to: Sequence[str]
) -> str:
    """What all numbers over persons left out in turn have in common; arguments as in `Conditions`."""
    return " ".join(
        [
            f"Each of {len(persons)} persons is left out in turn: R is tested on {eyes} labelled eyes of "
            f"{', '.join(persons)}, each person by networks trained without that person's labels.",
            _seen(test_pictures_seen),
            *_adapted(adapted_to),
            _chosen([]),
        ]
    )


def _real_test(conditions: Conditions) -> str:
    eyes = conditions.real
    if not len(eyes):
        return "The real test eyes have no gaze labels."
    which = {None: "as in the given set", "both": "both eyes"}
    eye = which.get(conditions.eye, f"the {conditions.eye} eye")
    persons = np.unique(eyes.person).tolist()
    return (
        f"R is tested on {len(eyes)} labelled eyes ({eye}, {_size(eyes)}) of "
        f"{'person' if len(persons) == 1 else f'{len(persons)} persons:'} {', '.join(persons)}."
    )


def _synthetic_test(conditions: Conditions) -> str:
    eyes = conditions.synthetic
    return f"S is tested on {len(eyes)} eyes kept apart ({_size(eyes)})."


def _size(eyes: Eyes) -> str:
    height, width = eyes.image.shape[1:3]
    return f"{width} x {height} pixels, {'colour' if eyes.channels == 3 else 'grey'}"


def _seen(test_pictures_seen: bool) -> str:
    if test_pictures_seen:
        return "The translator was trained on pictures of the test persons too, without labels."
    return "The translator was trained without pictures of the test persons."


def _adapted(persons: Sequence[str]) -> list[str]:
    if not persons:
        return []
    return [
        "Labels and framing of adapted S were estimated from unlabelled pictures, including those of "
        f"{', '.join(persons)}."
    ]


def _chosen(validation_persons: Sequence[str]) -> str:
    persons = ", ".join(validation_persons)
    chosen = f"validation persons ({persons})" if persons else "training eyes set aside"
    return f"Nothing was chosen on test persons; epochs and generators were chosen on S and on {chosen}."
