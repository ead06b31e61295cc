"""Applies trained networks to test eyes: gaze estimates, translations and their quality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from fpgan.data.eyes import Eyes, spread_rows
from fpgan.domains import Direction, Domain, TestedOn, TrainedOn
from fpgan.evaluation.estimates import Estimates, average, constant_estimates, mean_gaze
from fpgan.evaluation.preservation import Features, feature_preservation, find_features, mean_change
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.evaluation.record import Shown
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import estimate_gaze, translate_pictures
from fpgan.quality.translation_quality import domain_feature_space, too_few_eyes, translation_quality

SHOWN = 16  # eyes per direction, in the record


class Parts(NamedTuple):
    """The eyes of one set by their use."""

    training: Eyes
    validation: Eyes
    test: Eyes


class Sets(NamedTuple):
    """The eye sets of an evaluation."""

    synthetic: Parts
    adapted: Parts
    """Synthetic eyes from adaptive data generation: the ones that are translated."""
    real: Parts

    def domain(self, domain: Domain) -> Parts:
        """The set that gaze is tested on in a domain."""
        return self.synthetic if domain is Domain.SYNTHETIC else self.real

    def tested(self, domain: Domain) -> Eyes:
        """The test eyes of a domain that have gaze labels."""
        test = self.domain(domain).test
        return test.select(test.has_gaze)

    def source(self, direction: Direction) -> Parts:
        """The set that is translated in a direction."""
        return self.adapted if direction.source is Domain.SYNTHETIC else self.real

    def target(self, direction: Direction) -> Parts:
        """The set that translations in a direction imitate."""
        return self.source(direction.opposite)


@dataclass(frozen=True)
class Examined:
    """The networks of one seed."""

    gaze: Mapping[TrainedOn, GazeNet]
    """Without the estimators that could not be trained."""
    landmarks: LandmarkNet
    generators: Mapping[Direction, Generator]


class Translation(NamedTuple):
    """The test eyes of one direction, before and after translation."""

    source: Eyes
    translated: NDArray[np.uint8]
    before: Features
    after: Features
    cycle_error: float
    """Mean absolute change of a pixel after translation there and back, in grey levels of 255."""

    @property
    def preservation(self) -> dict[str, float]:
        """How well translation preserves the eyes."""
        kept = feature_preservation(self.source.image, self.translated, self.before, self.after)
        return kept._asdict() | {"cycle_error": self.cycle_error}

    @property
    def shown(self) -> Shown:
        """A few eyes, spread over the set, and their translations."""
        rows = spread_rows(len(self.source), SHOWN)
        return Shown(
            source=self.source.image[rows],
            translation=self.translated[rows],
            gaze=self.source.gaze[rows],
            gaze_source=self.before.gaze[rows],
            gaze_translation=self.after.gaze[rows],
            landmarks_source=self.before.landmarks[rows],
            landmarks_translation=self.after.landmarks[rows],
        )


class Findings(NamedTuple):
    """The results of one seed's networks on the test eyes."""

    gaze: dict[str, NDArray[np.float32]]
    """Estimates (N, 2) of the test eyes with gaze labels, by protocol with an estimator of its own."""
    translations: dict[Direction, Translation]
    quality: dict[Direction, dict[str, Any]]
    """Without the directions that have too few eyes."""


def examine(networks: Examined, sets: Sets, *, seed: int, device: torch.device) -> Findings:
    """Translates all test eyes and estimates gaze by every protocol of `PROTOCOLS` with an estimator."""
    translations = {direction: _translate(networks, sets, direction) for direction in Direction}
    real = sets.real.test
    pictures = {
        TestedOn.SYNTHETIC: sets.tested(Domain.SYNTHETIC).image,
        TestedOn.REAL: real.image[real.has_gaze],
        TestedOn.TRANSLATED: translations[Direction.R2S].translated[real.has_gaze],
    }
    gaze = {
        name: estimate_gaze(networks.gaze[protocol.trained_on], pictures[protocol.tested_on])
        for name, protocol in PROTOCOLS.items()
        if protocol.trained_on and protocol.trained_on in networks.gaze and len(pictures[protocol.tested_on])
    }
    return Findings(gaze, translations, _measure_quality(translations, sets, seed, device))


def _measure_quality(
    translations: dict[Direction, Translation], sets: Sets, seed: int, device: torch.device
) -> dict[Direction, dict[str, Any]]:
    enough = [direction for direction in Direction if not _too_few_eyes(sets, direction)]
    if not enough:
        return {}
    features = domain_feature_space(
        sets.real.training.image, sets.adapted.training.image, seed=seed, device=device
    )
    quality: dict[Direction, dict[str, Any]] = {}
    for direction in enough:
        source, target = sets.source(direction).test, sets.target(direction).test
        after = source.with_images(translations[direction].translated)
        measured = translation_quality(source, after, target, features=features, seed=seed, device=device)
        compared = ("sliced_wasserstein", "frechet", "kernel")
        quality[direction] = {name: getattr(measured, name)._asdict() for name in compared}
        quality[direction]["taken_for_target"] = measured.taken_for_target
    return quality


def _too_few_eyes(sets: Sets, direction: Direction) -> str | None:
    return too_few_eyes(sets.source(direction).test, sets.target(direction).test)


def _translate(networks: Examined, sets: Sets, direction: Direction) -> Translation:
    source = sets.source(direction).test
    translated = translate_pictures(networks.generators[direction], source.image)
    before, after = (
        find_features(networks.gaze[TrainedOn.ADAPTED], networks.landmarks, pictures)
        for pictures in (source.image, translated)
    )
    returned = translate_pictures(networks.generators[direction.opposite], translated)
    cycle_error = float(mean_change(source.image, returned).mean())
    return Translation(source, translated, before, after, cycle_error)


def skip_reasons(sets: Sets, absent: Mapping[TrainedOn, str]) -> dict[str, str]:
    """Why protocols have no errors and directions no quality, by their names in metrics.json.

    `absent` are the reasons why estimators could not be trained.
    """
    reasons = {
        f"quality_{direction}": reason
        for direction in Direction
        if (reason := _too_few_eyes(sets, direction))
    }
    labelled = {domain: bool(sets.domain(domain).test.has_gaze.any()) for domain in Domain}
    for name, protocol in PROTOCOLS.items():
        domain = protocol.tested_on.domain
        if not labelled[domain]:
            reasons[name] = f"the {domain} test eyes have no gaze labels"
        elif protocol.trained_on and protocol.trained_on in absent:
            reasons[name] = absent[protocol.trained_on]
        elif missing := [reasons[part] for part in protocol.average_of if part in reasons]:
            reasons[name] = missing[0]
    return reasons


def collect_estimates(findings: Sequence[Findings], sets: Sets) -> dict[str, Estimates]:
    """Estimates over all seeds by protocol, in the order of `PROTOCOLS`; without the skipped protocols."""
    estimates: dict[str, Estimates] = {}
    for name, protocol in PROTOCOLS.items():
        domain = protocol.tested_on.domain
        tested = sets.tested(domain)
        if name in findings[0].gaze:
            gaze = np.stack([found.gaze[name] for found in findings])
            estimates[name] = Estimates(gaze, tested.gaze, tested.person)
        elif protocol.is_constant and len(tested):
            estimates[name] = constant_estimates(_mean_label(sets.domain(domain), tested), tested)
        elif protocol.average_of and all(part in estimates for part in protocol.average_of):
            estimates[name] = average(*(estimates[part] for part in protocol.average_of))
    return estimates


def _mean_label(parts: Parts, tested: Eyes) -> NDArray[np.floating]:
    """The mean gaze of the training eyes, or without labels of the test eyes, the best constant."""
    labelled = parts.training.gaze[parts.training.has_gaze]
    return mean_gaze(labelled if len(labelled) else tested.gaze)
