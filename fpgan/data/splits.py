"""The split into training, validation and test: real eyes by whole persons, synthetic eyes at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpgan.errors import InputError

if TYPE_CHECKING:
    from fpgan.params import SplitParams

SYNTHETIC_SPLIT_SEED = 0


class Split(NamedTuple):
    """Row numbers of an eye set; each row, and each real person, is in one part only."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split_real(person: NDArray[np.str_], params: SplitParams) -> Split:
    """Splits real eyes by person (N,); persons not named for validation or test are for training.

    Validation persons may be absent from the set. Raises InputError when all test persons are absent, or when
    no person is left to train on.
    """
    validating = np.isin(person, params.validation_persons)
    testing = np.isin(person, params.test_persons)
    here = ", ".join(sorted(set(person.tolist())))
    if not testing.any():
        raise InputError(
            f"split.test_persons: none of {', '.join(params.test_persons)} is among the real persons: {here}"
        )
    if not (~validating & ~testing).any():
        raise InputError(
            f"split: no person is left to train on: the real eyes hold {here}, and all are named in "
            "split.validation_persons or split.test_persons"
        )
    return Split(*(np.flatnonzero(rows) for rows in (~validating & ~testing, validating, testing)))


def split_synthetic(count: int, params: SplitParams) -> Split:
    """Splits `count` synthetic eyes at random, the same way every time.

    Raises InputError when a part would be empty.
    """
    order = np.random.default_rng(SYNTHETIC_SPLIT_SEED).permutation(count)
    test = round(count * params.synthetic_test)
    validation = round(count * params.synthetic_validation)
    if min(test, validation, count - test - validation) < 1:
        raise InputError(
            f"split: {count} synthetic eyes are too few for a test share of {params.synthetic_test} and a "
            f"validation share of {params.synthetic_validation}"
        )
    return Split(
        np.sort(order[test + validation :]), np.sort(order[test : test + validation]), np.sort(order[:test])
    )
