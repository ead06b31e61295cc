from dataclasses import replace
from math import gamma, pi, sqrt

import numpy as np
import pytest
import torch
from conftest import draw_eyes
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fpgan.data.eyes import Eyes
from fpgan.networks.domain_classifier import FEATURES, DomainClassifier
from fpgan.networks.inference import domain_features, judge_domain
from fpgan.quality.distances import frechet_distance, kernel_distance, sliced_wasserstein_distance
from fpgan.quality.parts import person_parts
from fpgan.quality.translation_quality import (
    FEWEST_EYES,
    Quality,
    domain_feature_space,
    too_few_eyes,
    translation_quality,
)
from fpgan.quality.two_sample import equal_error_rate, taken_for_target
from fpgan.training.domain_training import train_domain_classifier

CPU = torch.device("cpu")
DISTANCES = [sliced_wasserstein_distance, frechet_distance, kernel_distance]
SOURCE = draw_eyes(120, seed=0)
seeds = st.integers(0, 2**32 - 1)
places = st.lists(st.floats(-2, 2), min_size=3, max_size=3)


def target_eyes(count: int, seed: int, persons: int = 1) -> Eyes:
    eyes = draw_eyes(count, seed, ground=110, disc=20)
    return replace(eyes, person=np.array([f"p{i % persons:02}" for i in range(count)]))


def normal(count: int, seed: int, dimensions: int = 8) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(count, dimensions))


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_are_symmetric_and_small_for_equal_distributions_and_grow_with_a_shift(distance) -> None:
    a, b = normal(400, 0), normal(400, 1)
    same, near, far = (distance(a, b + shift) for shift in (0, 0.5, 1))
    assert abs(same) < 0.3
    assert same < near < far
    assert distance(a, b + 1) == pytest.approx(distance(b + 1, a))


@given(seed=seeds, shift=st.floats(-3, 3), factor=st.floats(0.1, 3))
def test_frechet_distance_of_moved_and_scaled_features_is_known(
    seed: int, shift: float, factor: float
) -> None:
    a = normal(20, seed, 3)
    assert frechet_distance(a, a + shift) == pytest.approx(3 * shift**2, abs=1e-6)
    centred = a - a.mean(axis=0)
    expected = (1 - factor) ** 2 * centred.var(axis=0, ddof=1).sum()
    assert frechet_distance(centred, factor * centred) == pytest.approx(expected, abs=1e-6)


@given(x=places, y=places)
def test_distances_of_sets_whose_features_are_all_alike(x: list[float], y: list[float]) -> None:
    a, b = np.tile(x, (5, 1)), np.tile(y, (5, 1))

    def kernel(u: list[float], v: list[float]) -> float:
        return float((np.dot(u, v) / 3 + 1) ** 3)

    assert kernel_distance(a, b) == pytest.approx(kernel(x, x) + kernel(y, y) - 2 * kernel(x, y), abs=1e-6)
    assert frechet_distance(a, b) == pytest.approx(np.square(np.subtract(x, y)).sum(), abs=1e-6)
    assert sliced_wasserstein_distance(a, a) == 0


def test_kernel_distance_is_unbiased() -> None:
    distances = [kernel_distance(normal(10, seed), normal(10, seed + 1000)) for seed in range(400)]
    assert abs(np.mean(distances)) < 3 * np.std(distances) / sqrt(len(distances))


@settings(max_examples=20)
@given(seed=seeds, shift=st.floats(-3, 3))
def test_sliced_wasserstein_distance_of_moved_features_is_the_mean_projected_shift(
    seed: int, shift: float
) -> None:
    a = normal(30, seed)
    along_any_direction = gamma(8 / 2) / (sqrt(pi) * gamma((8 + 1) / 2))
    expected = abs(shift) * sqrt(8) * along_any_direction
    found = sliced_wasserstein_distance(a, a + shift, seed=seed, projections=1000)
    assert found == pytest.approx(expected, rel=0.1)


def test_sliced_wasserstein_distance_of_scaled_normal_features() -> None:
    """W1 of N(0, 1) and N(0, 2²) is (2 - 1) E|z|."""
    found = sliced_wasserstein_distance(normal(4000, 0), 2 * normal(4000, 1))
    assert found == pytest.approx(sqrt(2 / pi), rel=0.05)


def test_sliced_wasserstein_distance_does_not_depend_on_order_or_repetition() -> None:
    a, b = normal(20, 0), normal(30, 1)
    expected = sliced_wasserstein_distance(a, b)
    assert expected == pytest.approx(sliced_wasserstein_distance(a[::-1], np.concatenate([b, b])))
    assert sliced_wasserstein_distance(a, np.concatenate([a, a])) == pytest.approx(0)


@given(
    person=st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=60),
    parts=st.integers(2, 4),
    seed=seeds,
)
def test_parts_share_no_person_and_are_about_equal(person: list[str], parts: int, seed: int) -> None:
    names = np.array(person)
    part = person_parts(names, parts, seed)
    sizes = np.bincount(part, minlength=parts)
    assert len(part) == len(person) == sizes.sum()
    counts = [person.count(name) for name in set(person)]
    if len(counts) == 1:
        assert np.ptp(sizes) <= 1
        return
    assert all(len(set(part[names == name])) == 1 for name in names)
    assert np.ptp(sizes) <= max(counts)
    assert len(counts) < parts or sizes.min() > 0


@given(
    positive=st.lists(st.integers(-5, 5), min_size=1, max_size=20),
    negative=st.lists(st.integers(-5, 5), min_size=1, max_size=20),
    bias=st.integers(-100, 100),
)
def test_the_equal_error_rate_does_not_depend_on_the_threshold(
    positive: list[int], negative: list[int], bias: int
) -> None:
    a, b = np.array(positive, np.float64), np.array(negative, np.float64)
    rate = equal_error_rate(a, b)
    assert 0 <= rate <= 1
    assert rate == equal_error_rate(a + bias, b + bias)
    assert equal_error_rate(a + 11, b) == 0
    if len(np.unique(a)) == 1:
        assert equal_error_rate(a, a) == 0.5


def test_the_equal_error_rate_of_normal_scores_is_known() -> None:
    """With means two standard deviations apart, the threshold is one from each: 15.9 % are wrong."""
    scores = np.random.default_rng(0).normal(size=(2, 20000))
    assert equal_error_rate(scores[0] + 2, scores[1]) == pytest.approx(0.1587, abs=0.01)
    assert equal_error_rate(scores[0], scores[1]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (36, 60), (50, 17)])
def test_the_classifier_takes_pictures_of_any_size(channels: int, height: int, width: int) -> None:
    network = DomainClassifier(channels)
    x = torch.rand(2, channels, height, width) * 2 - 1
    assert network(x).shape == (2,)
    assert network.features(x).shape == (2, FEATURES)


def test_the_classifier_recognises_unseen_eyes_and_is_repeatable_by_its_seed() -> None:
    def train() -> DomainClassifier:
        return train_domain_classifier(target_eyes(60, seed=1).image, SOURCE.image, seed=0, device=CPU)

    random_state = torch.get_rng_state()
    network, again = train(), train()
    assert torch.equal(torch.get_rng_state(), random_state)
    unseen = draw_eyes(60, seed=3).image
    assert (judge_domain(network, target_eyes(60, seed=2).image) > 0).mean() > 0.95
    assert (judge_domain(network, unseen) < 0).mean() > 0.95
    np.testing.assert_array_equal(judge_domain(network, unseen), judge_domain(again, unseen))


@pytest.fixture(scope="module")
def features() -> DomainClassifier:
    return domain_feature_space(target_eyes(120, seed=4).image, SOURCE.image, seed=0, device=CPU)


def test_decorrelated_features_are_not_all_equal(features: DomainClassifier) -> None:
    def dimensions(network: DomainClassifier) -> float:
        seen = domain_features(network, np.concatenate([SOURCE.image, target_eyes(120, seed=5).image]))
        variances = np.linalg.eigvalsh(np.cov(seen.T))
        return float(variances.sum() ** 2 / np.square(variances).sum())

    plain = train_domain_classifier(target_eyes(120, seed=4).image, SOURCE.image, seed=0, device=CPU)
    assert dimensions(features) > 2 * dimensions(plain)


def quality(features: DomainClassifier, translation: Eyes, target: Eyes) -> Quality:
    return translation_quality(SOURCE, translation, target, features=features, seed=0, device=CPU)


def test_a_translation_into_target_eyes_has_the_best_quality(features: DomainClassifier) -> None:
    found = quality(features, target_eyes(120, seed=7), target_eyes(120, seed=6, persons=2))
    for distances in found[:3]:
        assert abs(distances.after) < 0.2 * distances.before
        assert abs(distances.floor) < 0.2 * distances.before
    assert 0.35 < found.taken_for_target < 0.65


def test_untranslated_eyes_are_no_better_than_before(features: DomainClassifier) -> None:
    found = quality(features, SOURCE, target_eyes(120, seed=6, persons=2))
    for distances in found[:3]:
        assert distances.after == distances.before > 3 * distances.floor
    assert found.taken_for_target < 0.05


def test_a_copy_of_the_target_cannot_be_distinguished_from_it() -> None:
    target = target_eyes(60, seed=6, persons=2)
    assert 0.4 < taken_for_target(target, target, seed=0, device=CPU) < 0.6


def striped_eyes(angles: list[int], seed: int) -> Eyes:
    """Twenty eyes per person, with stripes on the skin at the person's angle, in degrees."""
    eyes = draw_eyes(20 * len(angles), seed)
    down, across = np.mgrid[: eyes.image.shape[1], : eyes.image.shape[2]]
    turned = np.radians(np.repeat(angles, 20))[:, None, None]
    stripes = np.sin(1.5 * (across * np.cos(turned) + down * np.sin(turned)))
    image = (eyes.image * 0.6 + 60 + 50 * stripes).astype(np.uint8)
    return replace(eyes.with_images(image), person=np.repeat(angles, 20).astype(str))


def test_judges_have_not_seen_the_persons_that_they_judge() -> None:
    """The candidates differ by their persons only; a judge that knew all persons would recognise them."""
    target, candidates = striped_eyes([0, 60, 120], seed=0), striped_eyes([30, 90, 150], seed=1)
    assert taken_for_target(candidates, target, seed=0, device=CPU) > 0.3


def test_quality_is_finite_if_all_eyes_are_equal_and_in_colour() -> None:
    picture = np.repeat(SOURCE.image[:1, :16, :16, None], 3, axis=3)
    alike = SOURCE.with_images(np.repeat(picture, len(SOURCE), axis=0))
    features = DomainClassifier(3).eval()
    found = translation_quality(alike, alike, alike, features=features, seed=0, device=CPU)
    np.testing.assert_allclose(np.array(found[:3]), 0, atol=1e-9)
    assert found.taken_for_target == 0.5


def test_too_few_eyes_are_named(features: DomainClassifier) -> None:
    few = SOURCE.select(slice(FEWEST_EYES - 1))
    target = target_eyes(120, seed=6)
    assert too_few_eyes(SOURCE, target) is None
    assert f"{len(few)} eyes were translated" in str(too_few_eyes(few, target))
    lopsided = replace(target, person=np.array(["p00"] * 110 + ["p01"] * 10))
    assert "leave 10 in the smaller" in str(too_few_eyes(SOURCE, lopsided))
    with pytest.raises(ValueError, match="leave 10"):
        quality(features, SOURCE, lopsided)
