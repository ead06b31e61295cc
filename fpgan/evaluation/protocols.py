"""The protocols of an evaluation: what each number's estimator is trained on and tested on, in words."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from fpgan.data.eyes import Eyes


class Protocol(NamedTuple):
    """How one number comes about."""

    meaning: str
    tested_on: Literal["R", "S"]
    """Whose persons' eyes are tested: real or synthetic ones."""
    translates: bool
    """Whether a translator had a part in it."""


PROTOCOLS = {
    "mean_gaze": Protocol("always the mean gaze, tested on R", "R", False),
    "no_adaptation": Protocol("trained on S, tested on R", "R", False),
    "adaptive_data": Protocol("trained on adapted S, tested on R", "R", True),
    "forward": Protocol("trained on translated adapted S, tested on R", "R", True),
    "backward": Protocol("trained on adapted S, tested on translated R", "R", True),
    "both": Protocol("forward and backward averaged", "R", True),
    "real_bound": Protocol("trained on R, tested on R", "R", False),
    "mean_gaze_synthetic": Protocol("always the mean gaze, tested on S", "S", False),
    "synthetic": Protocol("trained on S, tested on S", "S", False),
}


class Conditions(NamedTuple):
    """What all numbers of an evaluation have in common."""

    real: Eyes
    """The test persons' eyes whose gaze is known."""
    synthetic: Eyes
    """The synthetic eyes kept apart whose gaze is known."""
    eye: Literal["both", "evaluated", "left", "right"] | None
    """Which eye of each real picture; None where the set came ready-made."""
    validation_persons: Sequence[str]
    """Real persons with labels on whom epochs are chosen; empty where it is on training eyes set aside."""
    test_pictures_seen: bool
    """Whether the translator saw the test persons' pictures, without labels."""
    adapted_to: Sequence[str] = ()
    """Test persons from whose unlabelled pictures labels and framing of adapted S were estimated."""


def describe(name: str, conditions: Conditions) -> str:
    """How the number of one protocol came about, in full."""
    protocol = PROTOCOLS[name]
    real = protocol.tested_on == "R"
    sentences = [
        f"{name.replace('_', ' ')}: {protocol.meaning}.",
        _real_test(conditions) if real else _synthetic_test(conditions),
    ]
    if protocol.translates:
        sentences += [_seen(conditions.test_pictures_seen), *_adapted(conditions.adapted_to)]
    if real:
        sentences.append(_chosen(conditions.validation_persons))
    return " ".join(sentences)


def describe_all(conditions: Conditions) -> str:
    """What all numbers have in common; `Protocol.meaning` says what sets each apart."""
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
    which = {None: "as the set has them", "both": "both eyes"}
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
    seen = "were" if test_pictures_seen else "were not"
    return f"The test persons' pictures {seen} seen, unlabelled, by the translator."


def _adapted(persons: Sequence[str]) -> list[str]:
    if not persons:
        return []
    return [
        "Labels and framing of adapted S were estimated from unlabelled pictures, those of "
        f"{', '.join(persons)} among them."
    ]


def _chosen(validation_persons: Sequence[str]) -> str:
    persons = ", ".join(validation_persons)
    chosen = f"validation persons ({persons})" if persons else "training eyes set aside"
    return f"Nothing was chosen on test persons; epochs and generators are chosen on S and on {chosen}."
