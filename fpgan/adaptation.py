"""Adaptive data generation: synthetic eyes that look where the real ones do, though those have no labels.

Lee, Kim, Suh: Simulated+Unsupervised Learning With Adaptive Data Generation and Bidirectional Mappings, ICLR
2018. An estimator trained on synthetic eyes says where the real ones look; synthetic eyes are drawn anew with
such labels; an estimator trained on those says it better; and so on until the answers settle.

How eyes are framed is adapted as well: an estimator goes by where in the picture the iris lies, so eyes that
sit a pixel to one side are all read 3 degrees too far to it, and drawn there.

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
LIDS = 8  # landmarks, the first ones
NEIGHBOURS = 256  # synthetic eyes looked through for one that is not taken yet
FARTHEST = np.radians(6)  # a synthetic eye may be from the labels it stands for: an estimator's error
HEAD_WEIGHT = 0.5  # of a difference in head pose, which matters less to an estimator than one in gaze
FEWEST_WANTED = 50  # labels before their misses say anything
MISSES = 0.25  # share of wanted labels without an eye near at which choosing ends
UNIFORM_SPREAD = 1.96  # standard deviations: what a simulator's uniform range covers to either side


def known_labels(eyes: Eyes) -> Labels:
    """The labels (N, 4) of eyes, NaN where unknown."""
    return np.concatenate([eyes.gaze, eyes.head], axis=1).astype(np.float64)


class Reframing(NamedTuple):
    """How one set's pictures are to be changed to frame eyes as another's do: enlarged, then shifted."""

    scale: float
    shift: NDArray[np.float64]
    """(2,) to the right and down, in pixels."""

    @property
    def inverse(self) -> "Reframing":
        """What undoes it."""
        return Reframing(1 / self.scale, -self.shift / self.scale)

    @property
    def plausible(self) -> bool:
        """Whether prepared sets can differ so: if not, the landmark network errs."""
        return 1 / MOST_ENLARGED < self.scale < MOST_ENLARGED

    def center_shift(self, height: int, width: int) -> NDArray[np.float64]:
        """(2,) how far the picture's middle moves, to the right and down, in pixels."""
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        return self.scale * middle + self.shift - middle


def find_framing(
    landmarks: NDArray[np.floating], labels: Labels, others: NDArray[np.floating], other_labels: Labels
) -> Reframing:
    """From landmarks (N, 18, 2) and labels (N, 4) of one set and those (M, ...) of another.

    It takes the lids of the first to where the second's are. Lids move with gaze and head, so they are first
    predicted, by linear regression on the first set, for the labels of the second.
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
    """The eyes framed otherwise: equalised pictures, resampled, and landmarks; edges are repeated."""
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
    """Labels (N, 4) of real eyes, found in pictures of them: their gaze, and their head pose.

    A known head pose stays; where it is not known `head_net` finds it.
    """
    labels = known_labels(eyes)
    labels[:, :2] = estimate_gaze(gaze_net, pictures)
    unknown = ~np.isfinite(labels[:, 2:]).all(axis=1)
    if head_net and unknown.any():
        labels[unknown, 2:] = estimate_gaze(head_net, pictures[unknown])
    return labels


def draw_labels(labels: Labels, count: int, seed: int) -> Labels:
    """`count` labels (count, D) distributed as those given (N, D), none of them twice.

    The smoothed bootstrap with the variance kept (Silverman, Young, Biometrika 1987): rows drawn at random,
    and moved at random by Scott's bandwidth. Angles that no label knows stay unknown.
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
    """Rows of synthetic eyes with labels (M, 4) that together are distributed as `wanted` (N, 4).

    Each wanted label gets the nearest eye that is not taken yet; when a quarter of them finds none near, what
    is left would no longer look like them, and choosing ends. Angles that one side does not know do not
    count.
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
    taken[-1] = True  # stands for none
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
    """How far two label distributions, of gaze and where both know it of the head, are apart: the mean
    distance in degrees by which labels would have to be moved, along any direction (sliced Wasserstein)."""
    known = np.isfinite(labels).any(axis=0) & np.isfinite(others).any(axis=0)
    one, other = (found[:, known][np.isfinite(found[:, known]).all(axis=1)] for found in (labels, others))
    return sliced_wasserstein_distance(np.degrees(one), np.degrees(other))


class SimulatorSettings(NamedTuple):
    """Centre and largest deviation, in degrees, of what UnityEyes draws uniformly; signs are ours."""

    head_pitch: tuple[float, float]
    """Of the head before the camera."""
    head_yaw: tuple[float, float]
    eye_pitch: tuple[float, float]
    """Of the eye in the head."""
    eye_yaw: tuple[float, float]


def simulator_settings(labels: Labels) -> SimulatorSettings | None:
    """The settings that cover labels (N, 4); None where no head pose is known."""
    relative = np.degrees(np.concatenate([labels[:, 2:], labels[:, :2] - labels[:, 2:]], axis=1))
    known = relative[np.isfinite(relative).all(axis=1)]
    if not len(known):
        return None
    center, reach = known.mean(axis=0), UNIFORM_SPREAD * known.std(axis=0)
    return SimulatorSettings(*((float(c), float(r)) for c, r in zip(center, reach, strict=True)))
