"""Adaptive data generation: synthetic eyes with the gaze distribution of unlabelled real eyes.

Lee, Kim, Suh: Simulated+Unsupervised Learning With Adaptive Data Generation and Bidirectional Mappings, ICLR
2018. An estimator trained on synthetic eyes estimates the gaze of the real eyes. Synthetic eyes are drawn
again with labels of that distribution. An estimator trained on them gives better estimates, and so on until
the estimates settle.

The framing of the eyes is adapted too. An estimator relies on the position of the iris in the picture: if all
eyes are one pixel to one side, it estimates all gazes 3 degrees too far to that side.

Labels are (N, 4): gaze pitch and yaw, head pitch and yaw, in radians.
"""

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from fpgan.data.eyes import Eyes, equalize
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.inference import estimate_gaze
from fpgan.quality.distances import sliced_wasserstein_distance

Labels = NDArray[np.float64]

MOST_ENLARGED = 1.25
LIDS = 8  # the first landmarks, on the eyelid margin
NEIGHBOURS = 256  # nearest synthetic eyes among which an unused one is searched
FARTHEST = np.radians(6)  # largest distance of a synthetic eye from its wanted label: an estimator's error
HEAD_WEIGHT = 0.5  # of a difference in head pose, relative to one in gaze, which matters more to an estimator
FEWEST_WANTED = 50  # wanted labels before the share of misses is meaningful
MISSES = 0.25  # stop selecting when this share of wanted labels has no near eye
UNIFORM_SPREAD = 1.96  # standard deviations that a simulator's uniform range covers on each side


def known_labels(eyes: Eyes) -> Labels:
    """The labels (N, 4) of eyes, NaN where unknown."""
    return np.concatenate([eyes.gaze, eyes.head], axis=1).astype(np.float64)


class Reframing(NamedTuple):
    """The change that gives the pictures of one set the framing of another: enlarging, then shifting."""

    scale: float
    shift: NDArray[np.float64]
    """(2,) to the right and down, in pixels."""

    @property
    def inverse(self) -> "Reframing":
        """The change that reverts this one."""
        return Reframing(1 / self.scale, -self.shift / self.scale)

    @property
    def plausible(self) -> bool:
        """Whether prepared sets can differ this much; otherwise the landmark network is wrong."""
        return 1 / MOST_ENLARGED < self.scale < MOST_ENLARGED

    def center_shift(self, height: int, width: int) -> NDArray[np.float64]:
        """(2,) shift of the picture's centre to the right and down, in pixels."""
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        return self.scale * middle + self.shift - middle


def find_framing(
    landmarks: NDArray[np.floating], labels: Labels, others: NDArray[np.floating], other_labels: Labels
) -> Reframing:
    """The framing from landmarks (N, 18, 2) and labels (N, 4) of one set to those (M, ...) of another.

    It moves the lids of the first set to the position of the second's. As lids move with gaze and head, the
    lids of the first set are predicted, by linear regression, for the labels of the second.
    """
    known = np.isfinite(labels).all(axis=0) & np.isfinite(other_labels).all(axis=0)
    lids = landmarks[:, :LIDS].reshape(len(landmarks), -1)
    weights, *_ = np.linalg.lstsq(_with_one(labels[:, known]), lids, rcond=None)
    expected = (_with_one(other_labels[:, known]) @ weights).mean(axis=0).reshape(LIDS, 2)
    found = others[:, :LIDS].mean(axis=0)
    around, around_found = expected - expected.mean(axis=0), found - found.mean(axis=0)
    scale = float((around * around_found).sum() / (around**2).sum())
    return Reframing(scale, found.mean(axis=0) - scale * expected.mean(axis=0))


def _with_one(labels: Labels) -> Labels:
    return np.column_stack([labels, np.ones(len(labels))])


def reframe(eyes: Eyes, framing: Reframing) -> Eyes:
    """The eyes in another framing: resampled pictures, equalised again, and landmarks; edges are repeated."""
    height, width = eyes.image.shape[1:3]
    matrix = np.array([[framing.scale, 0, framing.shift[0]], [0, framing.scale, framing.shift[1]]])
    pictures = np.empty_like(eyes.image)
    for picture, result in zip(eyes.image, pictures, strict=True):
        result[:] = cv2.warpAffine(
            picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    landmarks = (eyes.landmarks * framing.scale + framing.shift).astype(np.float32)
    return replace(eyes, image=equalize(pictures), landmarks=landmarks)


def estimate_labels(
    eyes: Eyes, pictures: NDArray[np.uint8], gaze_net: GazeNet, head_net: GazeNet | None
) -> Labels:
    """Labels (N, 4) of real eyes: their gaze, estimated in `pictures` of them, and their head pose.

    Known head poses are kept; unknown ones are estimated by `head_net` if it is given.
    """
    labels = known_labels(eyes)
    labels[:, :2] = estimate_gaze(gaze_net, pictures)
    unknown = ~np.isfinite(labels[:, 2:]).all(axis=1)
    if head_net and unknown.any():
        labels[unknown, 2:] = estimate_gaze(head_net, pictures[unknown])
    return labels


def draw_labels(labels: Labels, count: int, seed: int) -> Labels:
    """`count` different labels (count, D) with the distribution of those given (N, D).

    Smoothed bootstrap that preserves the variance (Silverman, Young, Biometrika 1987): rows are drawn at
    random and moved at random by Scott's bandwidth. Angles unknown in all labels stay unknown.
    """
    random = np.random.default_rng(seed)
    angles = np.isfinite(labels).any(axis=0)
    known = labels[np.isfinite(labels[:, angles]).all(axis=1)][:, angles]
    center, spread = known.mean(axis=0), known.std(axis=0)
    bandwidth = len(known) ** (-1 / (known.shape[1] + 4))
    drawn = known[random.integers(len(known), size=count)] - center
    moved = drawn + bandwidth * spread * random.normal(size=drawn.shape)
    result = np.full((count, labels.shape[1]), np.nan)
    result[:, angles] = center + moved / np.sqrt(1 + bandwidth**2)
    return result


def choose_rows(labels: Labels, wanted: Labels) -> NDArray[np.int64]:
    """Rows of synthetic eyes with labels (M, 4) that together have the distribution of `wanted` (N, 4).

    Each wanted label gets the nearest eye that is not used yet. Selection stops when a quarter of the labels
    had no near eye, as the distribution would then deviate. Angles unknown in all labels of either side do
    not count.
    """
    known = np.isfinite(labels).any(axis=0) & np.isfinite(wanted).any(axis=0)
    scale = np.array([1, 1, HEAD_WEIGHT, HEAD_WEIGHT])[known]
    usable = np.flatnonzero(np.isfinite(labels[:, known]).all(axis=1))
    tree = cKDTree(labels[usable][:, known] * scale)
    _, neighbours = tree.query(
        wanted[:, known] * scale,
        k=list(range(1, min(NEIGHBOURS, len(usable)) + 1)),
        distance_upper_bound=FARTHEST,
    )
    taken = np.zeros(len(usable) + 1, bool)
    taken[-1] = True  # the index that the tree gives for no neighbour
    missed = 0
    for count, rows in enumerate(neighbours, 1):
        free = rows[~taken[rows]]
        if len(free):
            taken[free[0]] = True
            continue
        missed += 1
        if count > FEWEST_WANTED and missed > MISSES * count:
            break
    return usable[taken[:-1]]


def label_distance(labels: Labels, others: Labels) -> float:
    """Sliced Wasserstein distance of two label distributions, in degrees: the mean distance by which labels
    would have to be moved along a direction. Head poses count if they are known on both sides."""
    known = np.isfinite(labels).any(axis=0) & np.isfinite(others).any(axis=0)
    one, other = (found[:, known][np.isfinite(found[:, known]).all(axis=1)] for found in (labels, others))
    return sliced_wasserstein_distance(np.degrees(one), np.degrees(other))


class SimulatorSettings(NamedTuple):
    """Centre and half-width, in degrees, of UnityEyes' ranges, with this project's signs."""

    head_pitch: tuple[float, float]
    """Of the head relative to the camera."""
    head_yaw: tuple[float, float]
    eye_pitch: tuple[float, float]
    """Of the eye relative to the head."""
    eye_yaw: tuple[float, float]


def simulator_settings(labels: Labels) -> SimulatorSettings | None:
    """The settings that cover labels (N, 4); None if no head pose is known."""
    relative = np.degrees(np.concatenate([labels[:, 2:], labels[:, :2] - labels[:, 2:]], axis=1))
    known = relative[np.isfinite(relative).all(axis=1)]
    if not len(known):
        return None
    center, reach = known.mean(axis=0), UNIFORM_SPREAD * known.std(axis=0)
    return SimulatorSettings(*((float(c), float(r)) for c, r in zip(center, reach, strict=True)))
