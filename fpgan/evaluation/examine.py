"""What trained networks make of test eyes: all that an evaluation's numbers and figures are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from fpgan.data.eyes import Eyes
from fpgan.evaluation.estimates import Estimates, average, constant_estimates, mean_gaze
from fpgan.evaluation.preservation import Features, feature_preservation, find_features, mean_change
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.evaluation.record import DIRECTIONS
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import estimate_gaze, translate_pictures
from fpgan.quality.translation_quality import domain_feature_space, too_few_eyes, translation_quality


class Parts(NamedTuple):
    """The eyes of one set by what they are used for."""

    training: Eyes
    validation: Eyes
    test: Eyes


class Sets(NamedTuple):
    """The eyes that are evaluated on."""

    synthetic: Parts
    adapted: Parts
    """Synthetic ones with the labels of adaptive data generation: those that are translated."""
    real: Parts

    @property
    def tested(self) -> Eyes:
        """The real test eyes whose gaze is known."""
        return self.real.test.select(self.real.test.has_gaze)

    @property
    def tested_synthetic(self) -> Eyes:
        """The synthetic test eyes whose gaze is known."""
        return self.synthetic.test.select(self.synthetic.test.has_gaze)

    def source(self, direction: str) -> Parts:
        """What is translated."""
        return self.adapted if direction == "s2r" else self.real

    def target(self, direction: str) -> Parts:
        """What it is to look like."""
        return self.real if direction == "s2r" else self.adapted


@dataclass(frozen=True)
class Examined:
    """The networks of one seed."""

    on_synthetic: GazeNet
    on_adapted: GazeNet
    on_translated: GazeNet
    on_real: GazeNet | None
    landmarks: LandmarkNet
    G: Generator
    F: Generator


class Translation(NamedTuple):
    """The test eyes of one direction, before and after."""

    source: Eyes
    translated: NDArray[np.uint8]
    before: Features
    after: Features
    cycle_error: float
    """Mean absolute change of a pixel there and back, in grey levels of 255."""

    @property
    def preservation(self) -> dict[str, float]:
        """What translation leaves of an eye."""
        kept = feature_preservation(self.source.image, self.translated, self.before, self.after)
        return kept._asdict() | {"cycle_error": self.cycle_error}


class Findings(NamedTuple):
    """What the networks of one seed make of the test eyes."""

    gaze: dict[str, NDArray[np.float32]]
    """(N, 2) estimates by protocol, of the test eyes whose gaze is known."""
    translations: dict[str, Translation]
    """By direction."""
    quality: dict[str, dict[str, Any]]
    """By direction, but for those with too few eyes."""


def examine(networks: Examined, sets: Sets, *, seed: int, device: torch.device) -> Findings:
    """Translates and judges all test eyes."""
    translations = {direction: _translate(networks, sets, direction) for direction in DIRECTIONS}
    tested, translated = sets.tested.image, translations["r2s"].translated[sets.real.test.has_gaze]
    gaze = {
        "synthetic": estimate_gaze(networks.on_synthetic, sets.tested_synthetic.image),
    }
    if len(tested):
        gaze |= {
            "no_adaptation": estimate_gaze(networks.on_synthetic, tested),
            "adaptive_data": estimate_gaze(networks.on_adapted, tested),
            "forward": estimate_gaze(networks.on_translated, tested),
            "backward": estimate_gaze(networks.on_adapted, translated),
        }
        if networks.on_real:
            gaze["real_bound"] = estimate_gaze(networks.on_real, tested)
    return Findings(gaze, translations, _measure_quality(translations, sets, seed, device))


def _measure_quality(
    translations: dict[str, Translation], sets: Sets, seed: int, device: torch.device
) -> dict[str, dict[str, Any]]:
    enough = [
        direction
        for direction, found in translations.items()
        if not too_few_eyes(found.source, sets.target(direction).test)
    ]
    if not enough:
        return {}
    features = domain_feature_space(
        sets.real.training.image, sets.adapted.training.image, seed=seed, device=device
    )
    quality: dict[str, dict[str, Any]] = {}
    for direction in enough:
        source, target = translations[direction].source, sets.target(direction).test
        after = source.with_images(translations[direction].translated)
        measured = translation_quality(source, after, target, features=features, seed=seed, device=device)
        compared = ("sliced_wasserstein", "frechet", "kernel")
        quality[direction] = {name: getattr(measured, name)._asdict() for name in compared}
        quality[direction]["taken_for_target"] = measured.taken_for_target
    return quality


def _translate(networks: Examined, sets: Sets, direction: str) -> Translation:
    there, back = (networks.G, networks.F) if direction == "s2r" else (networks.F, networks.G)
    source = sets.source(direction).test
    translated = translate_pictures(there, source.image)
    before, after = (
        find_features(networks.on_adapted, networks.landmarks, pictures)
        for pictures in (source.image, translated)
    )
    returned = translate_pictures(back, translated)
    cycle_error = float(mean_change(source.image, returned).mean())
    return Translation(source, translated, before, after, cycle_error)


def collect_estimates(findings: Sequence[Findings], sets: Sets) -> dict[str, Estimates]:
    """Estimates over all seeds by protocol, in the order of `PROTOCOLS`, those that need no network too."""
    tested, tested_synthetic = sets.tested, sets.tested_synthetic
    estimates = {
        "mean_gaze_synthetic": constant_estimates(
            _mean_label(sets.synthetic, tested_synthetic), tested_synthetic
        )
    }
    for name in findings[0].gaze:
        eyes = tested_synthetic if name == "synthetic" else tested
        gaze = np.stack([found.gaze[name] for found in findings])
        estimates[name] = Estimates(gaze, eyes.gaze, eyes.person)
    if len(tested):
        estimates["mean_gaze"] = constant_estimates(_mean_label(sets.real, tested), tested)
        estimates["both"] = average(estimates["forward"], estimates["backward"])
    return {name: estimates[name] for name in PROTOCOLS if name in estimates}


def _mean_label(parts: Parts, tested: Eyes) -> NDArray[np.floating]:
    """The training eyes' mean gaze; without labels that of the test eyes: the best a constant can do."""
    labelled = parts.training.gaze[parts.training.has_gaze]
    return mean_gaze(labelled if len(labelled) else tested.gaze)


def mean_over_seeds(values: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean of every number in nested dicts of the same keys."""
    first = values[0]
    return {
        key: mean_over_seeds([one[key] for one in values])
        if isinstance(first[key], dict)
        else float(np.mean([one[key] for one in values]))
        for key in first
    }
