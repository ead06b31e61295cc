import numpy as np
import pytest
from estimating import erring, people
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgan.errors import InputError
from fpgan.evaluation.estimates import Estimates
from fpgan.evaluation.statistics import compare, mean_interval

TRUE = 8.0  # mean error of the simulated estimators, degrees


def simulated(
    random: np.random.Generator,
    persons: np.ndarray,
    *,
    shift: float = 0,
    seeds: int = 1,
    eyes: int = 20,
) -> Estimates:
    """An estimator's errors: each person's, each seed's, each seed's on each person, each eye's."""
    of_seed = random.normal(0, 0.3, (seeds, 1)) if seeds > 1 else 0
    means = TRUE + shift + persons + of_seed + random.normal(0, 0.2, (seeds, len(persons)))
    errors = np.repeat(means, eyes, axis=1) + random.normal(0, 1, (seeds, len(persons) * eyes))
    return erring(np.abs(errors), people(len(persons), eyes))


@pytest.mark.parametrize(("persons", "seeds"), [(40, 1), (15, 5), (3, 1), (3, 3)])
def test_the_interval_holds_the_true_mean_in_95_of_100_cases(persons: int, seeds: int) -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        interval = mean_interval(simulated(random, random.normal(0, 1, persons), seeds=seeds))
        held += interval.low <= TRUE <= interval.high
    assert 0.9 <= held / 200 <= 0.995


@pytest.mark.parametrize(("persons", "seeds"), [(15, 1), (15, 3), (3, 3)])
def test_estimators_that_are_alike_seldom_differ_by_more_than_noise(persons: int, seeds: int) -> None:
    random = np.random.default_rng(1)
    wrong = 0
    for _ in range(200):
        people_err = random.normal(0, 1, persons)
        one, other = (simulated(random, people_err, seeds=seeds) for _ in range(2))
        wrong += compare(one, other).more_than_noise
    assert wrong / 200 <= 0.09


def test_clear_differences_are_found_though_persons_differ_more() -> None:
    random = np.random.default_rng(2)
    for _ in range(20):
        people_err = random.uniform(0, 12, 15)
        better, worse = (simulated(random, people_err, shift=shift, seeds=3) for shift in (-2, 0))
        found = compare(better, worse)
        assert found.more_than_noise
        assert found.p < 0.05
        assert found.improved >= 12
        assert "lower by" in found.verdict
        assert ", more than noise" in found.verdict
        assert mean_interval(better).high > mean_interval(worse).low  # not seen without pairing


sizes = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))


@given(sizes, st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_an_estimator_never_differs_from_itself(size: tuple[int, int, int], seed: int) -> None:
    seeds, persons, eyes = size
    errors = np.random.default_rng(seed).gamma(2, 3, (seeds, persons * eyes))
    one = erring(errors, people(persons, eyes))
    found = compare(one, one)
    assert found.difference == 0
    assert found.low <= 0 <= found.high
    assert found.p == 1
    assert found.improved == 0
    assert found.verdict.startswith("the same to two decimals (")
    assert "-0.00" not in found.verdict


@given(sizes, st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_order_of_eyes_and_the_names_of_persons_change_nothing(
    size: tuple[int, int, int], seed: int
) -> None:
    seeds, persons, eyes = size
    random = np.random.default_rng(seed)
    a, b = random.gamma(2, 3, (2, seeds, persons * eyes))
    person = people(persons, eyes)
    order = random.permutation(len(person))
    names = random.permutation(persons)
    renamed = np.array([f"q{names[int(name[1:])]:02d}" for name in person[order]])
    one, other = erring(a, person), erring(b, person)
    one_again, other_again = erring(a[:, order], renamed), erring(b[:, order], renamed)
    np.testing.assert_allclose(mean_interval(one)[:2], mean_interval(one_again)[:2], rtol=1e-9)
    np.testing.assert_allclose(compare(one, other)[:6], compare(one_again, other_again)[:6], rtol=1e-9)


def test_swapping_two_estimators_turns_the_sign_of_their_difference() -> None:
    random = np.random.default_rng(3)
    one, other = (simulated(random, random.normal(0, 1, 5)) for _ in range(2))
    there, back = compare(one, other), compare(other, one)
    assert there.difference == pytest.approx(-back.difference)
    assert there.improved == 5 - back.improved
    assert there.high - there.low == pytest.approx(back.high - back.low, rel=0.1)


def test_one_person_is_resampled_by_eyes_and_says_so() -> None:
    random = np.random.default_rng(4)
    errors = random.normal(8, 2, (1, 400)).clip(0)
    one = erring(errors, people(1, 400))
    interval = mean_interval(one)
    assert interval.over == "eyes"
    assert (interval.high - interval.low) / 2 == pytest.approx(1.96 * 2 / 20, rel=0.15)
    found = compare(one, erring(errors + 1, people(1, 400)))
    assert found.over == "eyes"
    assert "One person says nothing about others." in found.caveats
    assert mean_interval(erring(np.ones((1, 4)), people(2, 2))).over == "persons"


def test_errors_that_are_all_alike_have_no_noise() -> None:
    alike = erring(np.full((1, 12), 4.0), people(3, 4))
    assert mean_interval(alike)[:2] == pytest.approx((4, 4))
    found = compare(alike, erring(np.full((1, 12), 5.0), people(3, 4)))
    assert found.more_than_noise
    assert found.p < 1e-6
    # What rounding leaves is no difference.
    assert not compare(alike, erring(np.full((1, 12), 4.001), people(3, 4))).more_than_noise


def test_a_single_eye_tells_nothing() -> None:
    one, other = (erring(np.array([[degrees]]), people(1, 1)) for degrees in (1.0, 30.0))
    assert mean_interval(one)[:2] == (0, 180)
    assert not compare(one, other).more_than_noise


def test_the_verdict_says_what_it_rests_on() -> None:
    random = np.random.default_rng(5)
    people_err = random.normal(0, 1, 3)
    few = compare(simulated(random, people_err, shift=-4, eyes=200), simulated(random, people_err, eyes=200))
    assert few.more_than_noise
    assert "lower for 3 of 3 persons" in few.verdict
    assert any("few persons" in caveat for caveat in few.caveats)
    assert any("single seed" in caveat for caveat in few.caveats)
    many = compare(
        simulated(random, random.normal(0, 0.1, 8), shift=2, seeds=3),
        simulated(random, random.normal(0, 0.1, 8), seeds=3),
    )
    assert many.verdict.startswith("higher by ")
    assert f"({many.low:.2f} to {many.high:.2f})" in many.verdict
    assert not many.caveats


def test_seeds_widen_the_interval_where_they_differ() -> None:
    person = people(10, 5)
    steady = np.full((3, 50), 6.0) + np.repeat(np.arange(10) / 10, 5)
    shaky = steady + np.array([[-1], [0], [1]])
    narrow, wide = (mean_interval(erring(errors, person)) for errors in (steady, shaky))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_estimators_tested_on_different_eyes_are_not_compared() -> None:
    with pytest.raises(InputError, match="only one of them on p02"):
        compare(erring(np.ones((1, 4)), people(2, 2)), erring(np.ones((1, 6)), people(3, 2)))
