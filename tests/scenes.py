"""Small raw folders drawn by the tests, from geometry written down here and not taken from fpgan."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import scipy.io
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.floating]

FACE = np.array(
    [
        [-45.0968, -0.4838, 2.3970],
        [-21.3129, 0.4838, -2.3970],
        [21.3129, 0.4838, -2.3970],
        [45.0968, -0.4838, 2.3970],
        [-26.2996, 68.5950, 0.0],
        [26.2996, 68.5950, 0.0],
    ]
)
MIRROR = np.diag([-1.0, 1.0, 1.0])


def spots(width: int, height: int, points: Array, radius: float) -> NDArray[np.uint8]:
    """A light picture with a dark Gaussian spot at every point (N, 2), at any fraction of a pixel."""
    picture = np.full((height, width), 220.0)
    reach = int(6 * radius)
    for px, py in points:
        left, top = max(int(px) - reach, 0), max(int(py) - reach, 0)
        part = picture[top : int(py) + reach, left : int(px) + reach]
        y, x = np.mgrid[: part.shape[0], : part.shape[1]]
        part -= 180 * np.exp(-((x + left - px) ** 2 + (y + top - py) ** 2) / (2 * radius**2))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def spot_center(picture: NDArray[np.uint8], near: Array, reach: int) -> Array:
    """(x, y): the centre of mass of the darkness within `reach` pixels of a point."""
    x0, y0 = np.maximum(np.rint(near).astype(int) - reach, 0)
    window = picture[y0 : y0 + 2 * reach + 1, x0 : x0 + 2 * reach + 1].astype(float)
    weight = np.clip(200 - window, 0, None)
    y, x = np.mgrid[: window.shape[0], : window.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum() + [x0, y0]


def write_jpeg(path: Path, picture: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 97])[1].tobytes())


@dataclass
class Scene:
    """A face before a webcam, built backwards from what the normalized left or right eye must show.

    `head` and `gaze` are the (pitch, yaw) in radians that the virtual camera sees, before mirroring.
    """

    side: str = "left"
    head: tuple[float, float] = (0.1, -0.2)
    gaze: tuple[float, float] = (-0.15, 0.1)
    direction: tuple[float, float, float] = (0.05, -0.04, 0.3)
    """Rotation vector of the virtual camera."""
    distance: float = 550.0
    target_distance: float = 500.0
    matrix: Array = field(default_factory=lambda: np.array([[990.0, 0, 637.2], [0, 995.0, 355.8], [0, 0, 1]]))
    distortion: Array = field(default_factory=lambda: np.array([-0.16, 0.5, -0.001, 0.003, -0.4]))
    size: tuple[int, int] = (1280, 720)

    @property
    def to_camera(self) -> Array:
        """(3, 3): directions of the virtual camera in the real one's frame."""
        return Rotation.from_rotvec(self.direction).as_matrix()

    @property
    def center(self) -> Array:
        return self.to_camera @ [0, 0, self.distance]

    @property
    def head_rotation(self) -> Array:
        """The head faces (pitch, yaw); its x axis is level in the virtual camera."""
        pitch, yaw = self.head
        return self.to_camera @ Rotation.from_euler("YX", [yaw, -pitch]).as_matrix()

    @property
    def head_translation(self) -> Array:
        corners = FACE[[2, 3]] if self.side == "left" else FACE[[0, 1]]
        return self.center - self.head_rotation @ corners.mean(axis=0)

    @property
    def target(self) -> Array:
        pitch, yaw = self.gaze
        x = -np.sin(yaw) * np.cos(pitch)
        z = -np.cos(yaw) * np.cos(pitch)
        return self.center + self.to_camera @ (self.target_distance * np.array([x, -np.sin(pitch), z]))

    def project(self, points: Array) -> Array:
        """Pixels (N, 2) of camera-frame points (N, 3), the lens written out (Brown's model)."""
        x, y = (points[:, :2] / points[:, 2:]).T
        k1, k2, p1, p2, k3 = self.distortion
        r2 = x * x + y * y
        radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
        xd = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        yd = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
        return np.stack([xd, yd, np.ones_like(x)], axis=1) @ self.matrix.T[:, :2]

    def draw(self, marks: Array, radius: float = 2.5) -> NDArray[np.uint8]:
        """The webcam's picture of dark spots at `marks` (N, 2): mm from the eye's centre, right and down
        as the virtual camera sees them, in the plane through the eye that faces it."""
        places = self.center + np.pad(marks, ((0, 0), (0, 1))) @ self.to_camera.T
        return spots(*self.size, self.project(places), radius)

    def line(self, picture: str, evaluated: str | None = None) -> str:
        rotation = Rotation.from_matrix(self.head_rotation).as_rotvec()
        landmarks = self.project(FACE @ self.head_rotation.T + self.head_translation)
        numbers = np.concatenate(
            [[640, 360], landmarks.ravel(), rotation, self.head_translation, [0, 0, 500], self.target]
        )
        return f"{picture} {' '.join(f'{number:.9f}' for number in numbers)} {evaluated or self.side}"

    def mirrored(self) -> "Scene":
        """The scene in a mirror: the other eye, seen by the mirrored camera."""
        x, y, z = self.direction
        matrix = self.matrix.copy()
        matrix[0, 2] = self.size[0] - 1 - matrix[0, 2]
        return Scene(
            "right" if self.side == "left" else "left",
            (self.head[0], -self.head[1]),
            (self.gaze[0], -self.gaze[1]),
            (x, -y, -z),
            self.distance,
            self.target_distance,
            matrix,
            self.distortion * [1, 1, 1, -1, 1],
            self.size,
        )


def write_camera(person: Path, scene: Scene) -> None:
    calibration = person / "Calibration"
    calibration.mkdir(parents=True, exist_ok=True)
    values = {"cameraMatrix": scene.matrix, "distCoeffs": scene.distortion[None]}
    scipy.io.savemat(calibration / "Camera.mat", values)


def write_person(person: Path, scene: Scene, lines: list[str], picture: NDArray[np.uint8]) -> None:
    """A person's folder, with one picture, day01/0001.jpg."""
    write_camera(person, scene)
    write_jpeg(person / "day01" / "0001.jpg", picture)
    (person / f"{person.name}.txt").write_text("\n".join(lines) + "\n")


@dataclass
class UnityEye:
    """A UnityEyes record; points count from the centre of the upper left pixel."""

    size: tuple[int, int] = (640, 480)
    inner: tuple[float, float] = (262.0, 250.0)
    outer: tuple[float, float] = (380.0, 244.0)
    iris: tuple[float, float] = (331.3, 241.8)
    iris_radius: float = 18.0
    look: tuple[float, float, float] = (0.2, 0.1, -0.97)
    head: tuple[float, float] = (0.0, 180.0)

    @property
    def margin(self) -> Array:
        """(16, 2): a flat ellipse, from the inner corner over the upper lid, outer corner at 8."""
        inner, outer = np.add(self.inner, [6, 0]), np.array(self.outer)
        angle = np.arange(16) / 16 * 2 * np.pi
        across = (outer - inner) / 2
        along = np.array([across[1], -across[0]]) * 0.4
        return (inner + outer) / 2 - np.outer(np.cos(angle), across) + np.outer(np.sin(angle), along)

    @property
    def caruncle(self) -> Array:
        """(7, 2)"""
        offsets = [[8, 3], [5, -4], [2, -2], [0, 0], [2, 2], [4, 4], [7, 4]]
        return np.add(self.inner, offsets)

    @property
    def iris_edge(self) -> Array:
        """(32, 2)"""
        angle = np.arange(32) / 32 * 2 * np.pi
        return np.array(self.iris) + self.iris_radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def record(self) -> dict:
        def texts(points: Array) -> list[str]:
            return [f"({x + 0.5:.4f}, {self.size[1] - 0.5 - y:.4f}, 9.0000)" for x, y in points]

        return {
            "interior_margin_2d": texts(self.margin),
            "caruncle_2d": texts(self.caruncle),
            "iris_2d": texts(self.iris_edge),
            "eye_details": {"look_vec": "({:.4f}, {:.4f}, {:.4f}, 0.0000)".format(*self.look)},
            "head_pose": "({:.4f}, {:.4f}, 0.0000)".format(*self.head),
        }

    def write(self, folder: Path, name: str, picture: NDArray[np.uint8] | None = None) -> None:
        if picture is None:
            picture = spots(*self.size, np.array([self.iris]), self.iris_radius / 2)
        write_jpeg(folder / f"{name}.jpg", picture)
        (folder / f"{name}.json").write_text(json.dumps(self.record()))
