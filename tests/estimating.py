"""Gaze estimates whose errors are known: eyes that look into the camera, estimates too high by the error."""

import numpy as np

from fpgan.evaluation.estimates import Estimates


def erring(errors: np.ndarray, person: np.ndarray) -> Estimates:
    """Estimates that err by `errors` (seeds, N) degrees, none of them negative."""
    gaze = np.zeros((*errors.shape, 2))
    gaze[..., 0] = np.radians(errors)
    return Estimates(gaze, np.zeros((errors.shape[1], 2)), person)


def people(count: int, eyes: int) -> np.ndarray:
    """The persons of `count` times `eyes` eyes."""
    return np.repeat([f"p{i:02d}" for i in range(count)], eyes)


def made_up(seed: int = 0, persons: int = 3, eyes: int = 60, seeds: int = 2) -> dict[str, Estimates]:
    """Several protocols on the same eyes, each better than the one before."""
    random = np.random.default_rng(seed)
    person = people(persons, eyes)
    true = random.normal([-0.15, 0], [0.1, 0.15], (len(person), 2))
    found = {}
    for name, noise in (("mean_gaze", 0.15), ("no_adaptation", 0.1), ("forward", 0.07), ("real_bound", 0.04)):
        gaze = true + random.normal(0, noise, (seeds, *true.shape))
        found[name] = Estimates(gaze[:1] if name == "mean_gaze" else gaze, true, person)
    return found
