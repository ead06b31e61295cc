"""The framing of eyes, measured from the pictures: size and place of the iris, and the mean eye.

Irises are found by Daugman's method (PAMI 1993): by the circle with the steepest step from dark to bright,
here on its left and right arcs only, since lids cover the rest. The circle of a single eye may be wrong, due
to a pupil's edge or a shadow, so the radius is taken from the whole set. The iris shows the scale, since all
people's irises are about 11.7 mm across, while the length of the lid opening differs.

Pictures of any size are measured at a width of 60 pixels. All lengths are in those pixels, and points (x, y)
count from the picture's middle, x to the right and y down, so that sets of different sizes compare.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fpgan.data.eyes import Eyes, equalize, to_color

Array = NDArray[np.floating]

WIDTH = 60  # pixels, at which pictures are measured
RADII = np.geomspace(3.2, 15.5, 12)
WINDOW = 1.25  # factor by which one eye's radius may differ from the set's
ARC = np.radians(30)  # half the angle of the left and of the right arc
RING = 0.75, 1.2  # inner and outer radius of the bands compared, in iris radii
FINER = 5  # samples per pixel along each axis, in the grid of the filters
EDGE_ARC = np.radians(20)  # half the angle of the arcs along which the profile of the edge is measured
EDGE_STEP = 0.05
PROFILE = 0.55, 0.8, 1.45
"""In iris radii: from the first to the second the profile crosses the iris, from there to the third its edge
and surroundings."""
LABELLED_BIAS, FOUND_BIAS = 1.03, 1.01
"""Factors by which the edge seems too far out, around labelled centres and around found centres, which are a
third of a pixel off. On rendered eyes the first is 1.06 to 1.07, on UnityEyes' light irises 0.97."""
RESAMPLINGS = 40  # of the eyes, for the standard error of the radius
FRONTAL = np.radians(15)  # of gaze yaw: up to there the iris is foreshortened by 3 % at most
FEWEST_FRONTAL = 20
FEWEST_FOR_GAZE = 10
CENTERED = 24, 48  # height and width of the mean eye around the iris
CENTERED_RADIUS = 8
TYPICAL_GAZE = np.array([-0.153, 0.001])
"""Mean gaze pitch and yaw of MPIIGaze's evaluation labels, radians: of people before a laptop."""
SCALE_ACCURACY = 0.05
"""Standard deviation, as a share, of the scale between sets of different kinds (rendered or real; light or
dark irises; sharp or blurred) that more eyes do not reduce. Measured on rendered eyes of known geometry."""


@dataclass(frozen=True)
class Irises:
    """The iris of each picture, as far as it is visible."""

    center: Array
    """(N, 2) x and y."""
    radius: Array
    """(N,) measured horizontally."""
    clarity: Array
    """(N,) the step in brightness at the edge less half the brightness inside; 1 at most."""

    @property
    def clear(self) -> NDArray[np.bool_]:
        """(N,) the clearer half."""
        return self.clarity >= np.median(self.clarity)


@dataclass(frozen=True)
class Framing:
    """The size and place of a set's eyes in their pictures."""

    iris_radius: float
    iris_radius_error: float
    """Standard error, from the choice of eyes alone."""
    iris_center: Array
    """(2,) x and y at the gaze TYPICAL_GAZE; without gaze labels, the mean of the middle half."""
    iris_center_error: Array
    """(2,) standard errors."""
    lid_width: float | None
    """Distance between the corners of the lid margin, from landmarks; None without them."""
    mean_eye: NDArray[np.float32]
    """(H, 60) mean of the equalised grey pictures, 0 to 255."""
    centered_eye: NDArray[np.float32]
    """(24, 48) mean of the pictures, each shifted and scaled so that its iris has radius 8 in the middle."""
    found: Irises
    """Each picture's iris as found in the picture, even where landmarks are known."""


@dataclass(frozen=True)
class FramingDifference:
    """The difference between the framings of two sets."""

    scale: float
    """Iris radius divided by the other's: above 1, eyes are larger in the first set."""
    scale_error: float
    """Standard error, as a share."""
    shift: Array
    """(2,) iris place minus the other's."""
    shift_error: Array
    """(2,) standard errors."""
    asymmetry: float
    """Correlation, -1 to 1, of the asymmetries of the two mean eyes around the iris; negative if one set is
    mirrored."""


def grey_pictures(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures (N, H, W) or (N, H, W, 3) as equalised grey ones (N, H', 60)."""
    height = max(8, round(images.shape[1] * WIDTH / images.shape[2]))
    resampling = cv2.INTER_AREA if images.shape[2] > WIDTH else cv2.INTER_LINEAR
    scaled = np.empty((len(images), height, WIDTH), np.uint8)
    for i, image in enumerate(images):
        scaled[i] = cv2.resize(to_color(image, color=False), (WIDTH, height), interpolation=resampling)
    return equalize(scaled)


def find_irises(pictures: NDArray[np.uint8]) -> Irises:
    """The irises of pictures (N, H, 60) from `grey_pictures`."""
    brightness = pictures.astype(np.float32) / 255
    best = np.array([[_arcs(picture, radius).max() for radius in RADII] for picture in brightness])
    typical = RADII[best.mean(axis=0).argmax()]
    near = RADII[np.abs(np.log(RADII / typical)) <= np.log(WINDOW)]
    found = np.empty((len(pictures), 4))
    for i, picture in enumerate(brightness):
        scores = np.stack([_arcs(picture, radius) for radius in near])
        k, y, x = np.unravel_index(scores.argmax(), scores.shape)
        found[i] = x, y, near[k], scores[k, y, x]
    return Irises(found[:, :2] - _middle(pictures), found[:, 2], found[:, 3])


def labelled_irises(eyes: Eyes) -> Irises:
    """The irises of eyes according to their landmarks; NaN where these are unknown."""
    edge, center = eyes.landmarks[:, 8:16], eyes.landmarks[:, 16]
    scale = WIDTH / eyes.image.shape[2]
    middle = (np.array([eyes.image.shape[2], eyes.image.shape[1]]) - 1) / 2
    return Irises((center - middle) * scale, np.ptp(edge[..., 0], axis=1) / 2 * scale, np.ones(len(eyes)))


def measure_framing(eyes: Eyes) -> Framing:
    """Measures the framing on all eyes given; a few hundred are enough.

    The places of irises come from landmarks if these agree with the pictures, otherwise from the pictures.
    The radius always comes from the pictures.
    """
    pictures = grey_pictures(eyes.image)
    found = irises = find_irises(pictures)
    labelled = labelled_irises(eyes)
    if np.median(np.abs(labelled.center - found.center)[found.clear, 0]) < np.median(found.radius) / 2:
        irises = labelled
    radius, radius_error = _measure_radius(pictures, irises, eyes)
    bias = FOUND_BIAS if irises is found else LABELLED_BIAS
    radius, radius_error = radius / bias, radius_error / bias
    center, center_error = _measure_center(irises, eyes)
    lid_width = None
    if eyes.has_landmarks.any():
        corners = eyes.landmarks[eyes.has_landmarks][:, [0, 4]]
        lid_width = float(np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1).mean())
        lid_width *= WIDTH / eyes.image.shape[2]
    return Framing(
        radius,
        radius_error,
        center,
        center_error,
        lid_width,
        pictures.mean(axis=0, dtype=np.float32),
        _centered_eye(pictures, irises, radius),
        found,
    )


def compare(framing: Framing, other: Framing) -> FramingDifference:
    """The difference of `framing` from `other`."""
    errors = framing.iris_radius_error / framing.iris_radius, other.iris_radius_error / other.iris_radius
    return FramingDifference(
        framing.iris_radius / other.iris_radius,
        float(np.hypot(*errors)),
        framing.iris_center - other.iris_center,
        np.hypot(framing.iris_center_error, other.iris_center_error),
        _cosine(_asymmetry(framing.centered_eye), _asymmetry(other.centered_eye)),
    )


def _middle(pictures: NDArray[np.uint8]) -> Array:
    return (np.array([pictures.shape[2], pictures.shape[1]]) - 1) / 2


def _arcs(picture: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """(H, W): how much each pixel looks like the centre of an iris of a radius."""
    left, right, disc = (
        cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE) for kernel in _filters(radius)
    )
    return np.asarray((left + right) / 4 + np.minimum(left, right) / 2 - disc / 2, np.float32)


@cache
def _filters(radius: float) -> tuple[NDArray[np.float32], ...]:
    """Filters for the steps across the left and the right arc, and for the mean between the arcs."""
    reach = int(np.ceil(radius * RING[1])) + 1
    size = 2 * reach + 1
    along = (np.arange(size * FINER) + 0.5) / FINER - 0.5 - reach
    x, y = np.meshgrid(along, along)
    distance = np.hypot(x, y)
    beside = np.abs(y) < radius * np.sin(ARC)
    inside = beside & (distance < radius)
    band = inside & (distance > radius * RING[0])
    outside = beside & (distance >= radius) & (distance < radius * RING[1])

    def mean_of(area: NDArray[np.bool_]) -> Array:
        weights = area.reshape(size, FINER, size, FINER).mean(axis=(1, 3))
        return weights / weights.sum()

    steps = [mean_of(outside & side) - mean_of(band & side) for side in (x < 0, x > 0)]
    return tuple(kernel.astype(np.float32) for kernel in (*steps, mean_of(inside)))


def _measure_radius(pictures: NDArray[np.uint8], irises: Irises, eyes: Eyes) -> tuple[float, float]:
    """The radius where the mean profile across the clearer irises is half as bright as outside them, and
    its standard error."""
    rows = irises.clear
    frontal = np.abs(eyes.gaze[:, 1]) < FRONTAL
    if (rows & frontal).sum() >= FEWEST_FRONTAL:
        rows &= frontal
    typical = float(np.median(irises.radius[rows]))
    radii = np.arange(typical * PROFILE[0], typical * PROFILE[2], EDGE_STEP)
    outside = radii > typical * PROFILE[1]
    angles = np.linspace(-EDGE_ARC, EDGE_ARC, 9)
    angles = np.concatenate([angles, np.pi - angles])
    center = irises.center[rows] + _middle(pictures)
    x = center[:, 0, None, None] + np.outer(radii, np.cos(angles))
    y = center[:, 1, None, None] + np.outer(radii, np.sin(angles))
    # Equalisation narrows the dark range, so that blurred edges of dark irises seem to lie further out.
    spread = np.sqrt(pictures[rows].astype(np.float32) / 255)
    profiles = np.array(
        [
            cv2.remap(*arguments, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).mean(axis=1)
            for arguments in zip(spread, x.astype(np.float32), y.astype(np.float32), strict=True)
        ]
    )

    def edge(profile: Array) -> float:
        dark, bright = profile[~outside].mean(), profile[outside].max()
        return float(radii[outside][(profile[outside] >= (dark + bright) / 2).argmax()])

    random = np.random.default_rng(0)
    resampled = [
        edge(profiles[random.integers(len(profiles), size=len(profiles))].mean(axis=0))
        for _ in range(RESAMPLINGS)
    ]
    return edge(profiles.mean(axis=0)), max(float(np.std(resampled)), EDGE_STEP)


def _measure_center(irises: Irises, eyes: Eyes) -> tuple[Array, Array]:
    """(2,), (2,): the place of irises at the gaze TYPICAL_GAZE, and its standard errors."""
    rows = irises.clear
    labelled = rows & (np.abs(eyes.gaze) < np.pi / 2).all(axis=1)
    if labelled.sum() < FEWEST_FOR_GAZE:
        # The mean of the middle half: found places are whole pixels, so their median would be one too.
        center = np.sort(irises.center[rows], axis=0)
        quarter = len(center) // 4
        middle = center[quarter : len(center) - quarter]
        return middle.mean(axis=0), 1.1 * center.std(axis=0) / np.sqrt(len(center))
    center = irises.center[labelled]
    turned = np.sin(eyes.gaze[labelled]) - np.sin(TYPICAL_GAZE)
    factors = np.column_stack([np.ones(len(turned)), turned])
    solution = np.linalg.lstsq(factors, center, rcond=None)[0]
    left = (center - factors @ solution).std(axis=0)
    spread = np.linalg.pinv(factors.T @ factors)[0, 0]
    return solution[0], left * np.sqrt(spread)


def _centered_eye(pictures: NDArray[np.uint8], irises: Irises, radius: float) -> NDArray[np.float32]:
    height, width = CENTERED
    scale = CENTERED_RADIUS / radius
    shown = np.array([width - 1, height - 1]) / 2
    total = np.zeros(CENTERED, np.float32)
    for picture, center in zip(pictures, irises.center + _middle(pictures), strict=True):
        move = np.column_stack([scale * np.eye(2), shown - scale * center])
        total += cv2.warpAffine(
            picture.astype(np.float32), move, (width, height), borderMode=cv2.BORDER_REPLICATE
        )
    return np.asarray(total / len(pictures), np.float32)


def _asymmetry(centered_eye: NDArray[np.float32]) -> NDArray[np.float32]:
    smooth = cv2.GaussianBlur(centered_eye, (0, 0), 2)
    return np.asarray(smooth - smooth[:, ::-1], np.float32)


def _cosine(a: Array, b: Array) -> float:
    return float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-6))
