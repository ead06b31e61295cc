import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgan.data.splits import split_real, split_synthetic
from fpgan.errors import InputError
from fpgan.params import SplitParams


@given(st.lists(st.sampled_from([f"p{i:02d}" for i in range(15)]), max_size=80))
def test_no_person_is_in_two_parts_and_every_eye_in_one(persons: list[str]) -> None:
    person = np.array([*persons, "p00", "p12"])
    split = split_real(person, SplitParams())
    parts = [set(person[rows].tolist()) for rows in split]
    assert not (parts[0] & parts[1]) | (parts[0] & parts[2]) | (parts[1] & parts[2])
    assert sorted(np.concatenate(split)) == list(range(len(person)))
    assert parts[2] <= {"p12", "p13", "p14"}


def test_real_splits_without_persons_are_named() -> None:
    with pytest.raises(InputError, match=r"none of p12, p13, p14 is among the real persons: p00, p01"):
        split_real(np.array(["p00", "p01"]), SplitParams())
    with pytest.raises(InputError, match="no person is left to train on"):
        split_real(np.array(["p10", "p12"]), SplitParams())


@given(st.integers(30, 5000))
def test_synthetic_parts_are_disjoint_repeatable_and_of_the_right_size(count: int) -> None:
    split = split_synthetic(count, SplitParams())
    assert sorted(np.concatenate(split)) == list(range(count))
    assert len(split.test) == pytest.approx(count * 0.1, abs=1)
    for one, other in zip(split, split_synthetic(count, SplitParams()), strict=True):
        np.testing.assert_array_equal(one, other)


def test_too_few_synthetic_eyes_are_an_error() -> None:
    with pytest.raises(InputError, match="5 synthetic eyes are too few"):
        split_synthetic(5, SplitParams())
