"""Sample data in UnityEyes' format: `imgs/N.jpg` and `imgs/N.json`, N from 1.

UnityEyes (Wood et al., ETRA 2016) turns its camera about the head: in the camera's frame the head is
turned by its yaw about its own y axis, then by its pitch about the camera's x axis. Its records count y
from the bottom of the picture, give depth in centimetres, and have the camera's y axis point up.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fpgan.data.coding import encode_picture
from fpgan.data.gaze import angles_to_vectors, vectors_to_angles
from fpgan.parallel import available_cpus, map_in_order
from fpgan.sample.appearance import Appearance, draw_appearance
from fpgan.sample.camera import Orthographic, View
from fpgan.sample.geometry import caruncle_points, iris_points, lids_of, margin_points
from fpgan.sample.render import Frame, pores, render
from fpgan.sample.shading import Light

Array = NDArray[np.floating]

WIDTH, HEIGHT = 640, 480
SCALE = 6.0  # pixels per millimetre
DISTANCE = 100.0  # millimetres from the camera to the eyeball's centre
# Suitable settings of UnityEyes for people before a laptop, who mostly look down at its screen.
HEAD_RANGE = np.radians(20)
EYE_LOWEST, EYE_HIGHEST = np.radians([-30, -25]), np.radians([10, 25])  # pitch, yaw relative to the head
EYE_LIMITS = np.radians([-35, -35]), np.radians([25, 35])  # of an eye's rotation
BACKGROUND = 0.38
SKIN = Frame(48, 24, 528, 432)  # holds the skin at any head pose
STREAM = 11  # separates these random numbers from those of the other format


@dataclass(frozen=True)
class Scene:
    """The random values of one picture."""

    appearance: Appearance
    camera: Array
    """(pitch, yaw) of the head before the camera, radians: the record's head_pose."""
    eye: Array
    """(pitch, yaw) of the eye relative to the head, radians."""
    light_angles: Array
    """(pitch, yaw) of the direction towards the light, camera frame, radians."""
    strength: float
    ambient: float
    exposure: float
    noise: int

    @property
    def view(self) -> View:
        camera = Orthographic(WIDTH, HEIGHT, SCALE)
        return View(camera, head_rotation(self.camera), np.array([0.0, 0.0, DISTANCE]))

    @property
    def gaze(self) -> Array:
        """(3,) unit vector, eye frame."""
        return angles_to_vectors(self.eye)


def head_rotation(camera: Array) -> Array:
    """Rotation (3, 3), head to camera, of a head at (pitch, yaw) before UnityEyes' camera."""
    (sin_pitch, sin_yaw), (cos_pitch, cos_yaw) = np.sin(camera), np.cos(camera)
    about_x = np.array([[1, 0, 0], [0, cos_pitch, sin_pitch], [0, -sin_pitch, cos_pitch]])
    about_y = np.array([[cos_yaw, 0, sin_yaw], [0, 1, 0], [-sin_yaw, 0, cos_yaw]])
    return about_x @ about_y


def draw_scene(seed: int, index: int) -> Scene:
    """The scene of picture `index`, from 0."""
    random = np.random.default_rng([seed, STREAM, index])
    return Scene(
        appearance=draw_appearance(random),
        camera=random.uniform(-HEAD_RANGE, HEAD_RANGE, 2),
        eye=random.uniform(EYE_LOWEST, EYE_HIGHEST),
        light_angles=np.array([random.uniform(-0.1, 1.0), random.uniform(-1.0, 1.0)]),
        strength=random.uniform(0.25, 0.5),
        ambient=random.uniform(0.55, 0.75),
        exposure=random.uniform(0.9, 1.1),
        noise=int(random.integers(2**31)),
    )


def looking(scene: Scene, labels: Array) -> Scene:
    """The scene with wanted labels (4,): gaze pitch and yaw, head pitch and yaw, radians, camera frame.

    The head pose stays where its label is NaN. The eye's rotation is limited to EYE_LIMITS.
    """
    gaze, head = angles_to_vectors(labels[:2]), np.where(np.isfinite(labels[2:]), labels[2:], scene.camera)
    eye = vectors_to_angles(gaze @ head_rotation(head))
    return replace(scene, camera=head, eye=np.clip(eye, *EYE_LIMITS))


def draw_picture(scene: Scene) -> NDArray[np.uint8]:
    """The picture (480, 640, 3) of a scene, RGB."""
    view = scene.view
    light = Light(
        toward=angles_to_vectors(scene.light_angles) @ view.rotation,
        strength=scene.strength,
        ambient=scene.ambient,
        color=(1.0, 0.98, 0.95),
        glint=0.9,
        glint_width=(0.10, 0.10),
    )
    picture, skin = render(view, SKIN, scene.appearance, scene.gaze, light)
    # As UnityEyes' mesh, the skin ends around the eye.
    x, y = (skin[0] - 2) / 38, (skin[1] + 1) / 31
    skin_share = np.clip(21 - 20 * ((x * x) ** 2 + (y * y) ** 2), 0, 1)
    picture *= skin_share * scene.exposure * pores(scene.noise, SKIN.shape, 0.02)
    picture += BACKGROUND * (1 - skin_share)
    whole = np.full((HEIGHT, WIDTH, 3), round(255 * BACKGROUND), np.uint8)
    rows, columns = SKIN.shape
    whole[SKIN.top : SKIN.top + rows, SKIN.left : SKIN.left + columns] = cv2.merge(
        [cv2.convertScaleAbs(plane, alpha=255) for plane in picture]
    )
    return whole


def record(scene: Scene) -> dict[str, object]:
    """The JSON record of a scene, with all keys that UnityEyes writes."""
    view, appearance = scene.view, scene.appearance
    lids = lids_of(appearance, scene.gaze)
    look = view.rotation @ scene.gaze
    pitch, yaw = np.degrees(scene.camera)
    light_pitch, light_yaw = np.degrees(scene.light_angles)
    random = np.random.default_rng(scene.noise)
    return {
        "interior_margin_2d": _points(view, margin_points(lids)),
        "caruncle_2d": _points(view, caruncle_points(lids)),
        "iris_2d": _points(view, iris_points(appearance, scene.gaze)),
        "eye_details": {
            "look_vec": _vector([look[0], -look[1], look[2], 0.0]),
            "pupil_size": f"{(appearance.pupil_radius - 2.1) / 0.8:.7f}",
            "iris_size": f"{appearance.iris_size:.7f}",
            "iris_texture": f"eyeball_{appearance.iris}",
        },
        "lighting_details": {
            "skybox_texture": "sample_data",
            "skybox_exposure": f"{scene.exposure:.6f}",
            "skybox_rotation": "0",
            "ambient_intensity": f"{scene.ambient:.6f}",
            "light_rotation": f"({light_pitch % 360:.1f}, {(180 - light_yaw) % 360:.1f}, 0.0)",
            "light_intensity": f"{scene.strength:.7f}",
        },
        "eye_region_details": {
            "pca_shape_coeffs": [f"{value:.8f}" for value in random.normal(0, 0.01, 20)],
            "primary_skin_texture": "sample_data",
        },
        "head_pose": _vector([-pitch % 360, 180 - yaw, 0.0]),
    }


def _points(view: View, points: Array) -> list[str]:
    pixels, depth = view.project(points) + 0.5, view.to_camera(points)[..., 2] / 10
    return [_vector([x, HEIGHT - y, z]) for (x, y), z in zip(pixels, depth, strict=True)]


def _vector(values: list[float]) -> str:
    return "(" + ", ".join(f"{value:.4f}" for value in values) + ")"


def write_picture(folder: Path, seed: int, labels: Array | None, index: int) -> None:
    """Writes picture `index`, from 0, and its record; `labels` (count, 4) as in `looking`."""
    scene = draw_scene(seed, index)
    if labels is not None:
        scene = looking(scene, labels[index])
    path = folder / "imgs" / f"{index + 1}.jpg"
    path.write_bytes(encode_picture(draw_picture(scene), ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95]))
    path.with_suffix(".json").write_text(json.dumps(record(scene), indent=2) + "\n", encoding="utf-8")


def write_unityeyes(
    folder: Path,
    count: int,
    seed: int,
    *,
    labels: Array | None = None,  # (count, 4) gaze pitch and yaw, head pitch and yaw, radians
    workers: int | None = None,
    progress: Callable[[], object] | None = None,
) -> int:
    """Writes `count` sample pictures and records into `folder` and returns their number.

    Each is a pure function of the seed, its index and its labels, which are drawn at random by default.
    `progress` is called once per picture.
    """
    (folder / "imgs").mkdir(parents=True, exist_ok=True)
    write = functools.partial(write_picture, folder, seed, labels)
    for _ in map_in_order(write, range(count), workers or available_cpus()):
        if progress is not None:
            progress()
    return count
