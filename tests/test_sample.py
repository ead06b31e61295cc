"""The sample data: both raw formats are met, and the pictures show what their labels say."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgan.data.face_model import FACE_MODEL, eye_center
from fpgan.data.gaze import angles_to_vectors, angular_error, vectors_to_angles
from fpgan.sample.face import eye_view, take_picture
from fpgan.sample.geometry import caruncle_points, iris_points, lids_of, margin_points, meet_skin
from fpgan.sample.people import Day, draw_day, draw_moment, draw_someone
from fpgan.sample.webcam import Webcam
from fpgan.sample.write_mpiifacegaze import annotation, write_mpiifacegaze
from fpgan.sample.write_unityeyes import draw_picture, draw_scene, head_rotation, record, write_unityeyes

UNITYEYES_KEYS = {
    "interior_margin_2d": 16,
    "caruncle_2d": 7,
    "iris_2d": 32,
    "eye_details": {"look_vec", "pupil_size", "iris_size", "iris_texture"},
    "lighting_details": {
        "skybox_texture",
        "skybox_exposure",
        "skybox_rotation",
        "ambient_intensity",
        "light_rotation",
        "light_intensity",
    },
    "eye_region_details": {"pca_shape_coeffs", "primary_skin_texture"},
    "head_pose": None,
}
HEIGHT = 480
MIDDLE = np.array([320, 240])
IRIS_DISTANCE = 64.512  # pixels from the eyeball's centre to the iris' in UnityEyes' 640 x 480 pictures
CLEAN = Webcam(1.0, 0.5, 0.0, 0.5, 0.0, contrast=1.0, saturation=1.0, quality=95)
NOON = Day(np.array([0.0, -0.6, -0.8]), 0.3, 0.7, np.ones(3), glint=0.0, glint_width=(0.1, 0.1))

indices = st.integers(0, 100_000)


def vector(text: str) -> np.ndarray:
    return np.array([float(part) for part in text.strip("()").split(",")])


def vectors(texts: list[str]) -> np.ndarray:
    return np.array([vector(text) for text in texts])


def iris_offset(grey: np.ndarray, iris: np.ndarray, margin: np.ndarray, shrink: int) -> float:
    """Pixels between the dark part of the open eye, as seen, and the labelled iris where it is visible.

    Both are taken inside the lids' edge, shrunk by `shrink` pixels to leave out lashes and shadow.
    """
    lids, disc = np.zeros_like(grey), np.zeros_like(grey)
    cv2.fillPoly(lids, [np.round(margin * 16).astype(np.int32)], 255, shift=4)
    cv2.fillPoly(disc, [np.round(iris * 16).astype(np.int32)], 255, shift=4)
    open_eye = cv2.erode(lids, np.ones((2 * shrink + 1, 1), np.uint8)) > 0
    values = grey[open_eye]
    threshold, _ = cv2.threshold(values, 0, 255, cv2.THRESH_OTSU)
    seen = np.argwhere(open_eye & (grey < threshold)).mean(axis=0)
    labelled = np.argwhere(open_eye & (disc > 0)).mean(axis=0)
    return float(np.linalg.norm(seen - labelled))


@settings(max_examples=30, deadline=None)
@given(indices)
def test_unityeyes_record_has_the_genuine_keys_and_order(index: int) -> None:
    data = record(draw_scene(0, index))
    assert data.keys() == UNITYEYES_KEYS.keys()
    for key, content in UNITYEYES_KEYS.items():
        if isinstance(content, int):
            assert vectors(data[key]).shape == (content, 3)
        elif content is not None:
            assert data[key].keys() == content
    assert len(data["eye_region_details"]["pca_shape_coeffs"]) == 20
    assert vector(data["eye_details"]["look_vec"]).shape == (4,)

    margin, caruncle = vectors(data["interior_margin_2d"]), vectors(data["caruncle_2d"])
    assert margin[:, 0].argmax() == 8
    assert caruncle[:, 0].max() < margin[:, 0].min()
    assert caruncle[:, 0].argmin() == 6
    assert (margin[1:8, 1] > margin[15:8:-1, 1]).all()  # y counts from the bottom: upper lid above lower
    assert (np.abs(margin[:, 2] - 9.3) < 1.2).all()  # centimetres


@settings(max_examples=50, deadline=None)
@given(indices)
def test_unityeyes_gaze_is_where_the_iris_is(index: int) -> None:
    data = record(draw_scene(1, index))
    look, iris = vector(data["eye_details"]["look_vec"])[:3], vectors(data["iris_2d"])
    np.testing.assert_allclose(iris[:, :2].mean(axis=0) - MIDDLE, IRIS_DISTANCE * look[:2], atol=0.02)
    assert iris[:, 2].mean() == pytest.approx(10 + IRIS_DISTANCE / 60 * look[2], abs=1e-3)
    radius = 35.19 * float(data["eye_details"]["iris_size"])
    across = (iris[:16] - iris[16:]) * [1, 1, 60]
    np.testing.assert_allclose(np.linalg.norm(across, axis=1), 2 * radius, rtol=1e-3)
    # Clockwise from the nasal end: the first quarter is the highest, the second the outermost.
    assert iris[8, 1] > iris[24, 1]
    assert iris[16, 0] > iris[0, 0]


@settings(max_examples=50, deadline=None)
@given(indices)
def test_unityeyes_gaze_in_the_head_frame_is_within_its_range(index: int) -> None:
    data = record(draw_scene(2, index))
    x, y, _ = vector(data["head_pose"])
    camera = np.radians([-(x - 360 if x > 180 else x), -(y - 180)])
    assert (np.abs(np.degrees(camera)) <= 20 + 1e-3).all()
    look = vector(data["eye_details"]["look_vec"])[:3] * [1, -1, 1]
    eye = np.degrees(vectors_to_angles(look @ head_rotation(camera)))
    assert (eye >= np.array([-30.01, -25.01])).all()
    assert (eye <= np.array([10.01, 25.01])).all()


@settings(max_examples=50, deadline=None)
@given(indices)
def test_rays_through_the_lid_landmarks_meet_the_lid_edge(index: int) -> None:
    scene = draw_scene(4, index)
    margin = margin_points(lids_of(scene.appearance, scene.gaze))
    met = meet_skin(*scene.view.rays(scene.view.project(margin).T)).T
    # All but the outer corner, which a turned head may hide.
    np.testing.assert_allclose(np.delete(met - margin, slice(6, 12), axis=0), 0, atol=0.1)


def test_head_angles_follow_the_convention() -> None:
    ahead = np.array([0.0, 0.0, -1.0])
    up, left = head_rotation(np.array([0.3, 0.0])) @ ahead, head_rotation(np.array([0.0, 0.3])) @ ahead
    np.testing.assert_allclose(vectors_to_angles(np.array([up, left])), [[0.3, 0], [0, 0.3]], atol=1e-9)


def test_unityeyes_pictures_show_the_labelled_iris() -> None:
    offsets = []
    for index in range(12):
        scene = draw_scene(3, index)
        grey = cv2.cvtColor(draw_picture(scene), cv2.COLOR_RGB2GRAY)
        data = record(scene)
        from_top = [[1, -1]] * vectors(data["iris_2d"])[:, :2] + [0, HEIGHT]
        margin = [[1, -1]] * vectors(data["interior_margin_2d"])[:, :2] + [0, HEIGHT]
        offsets.append(iris_offset(grey, from_top - 0.5, margin - 0.5, shrink=4))
    assert np.median(offsets) < 2, offsets
    assert max(offsets) < 6, offsets


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_seed_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        calls: list[None] = []
        folder = tmp_path / name
        progress = lambda: calls.append(None)  # noqa: B023, E731
        assert write_unityeyes(folder / "U", 3, 5, workers=workers, progress=progress) == 3
        assert write_mpiifacegaze(folder / "M", 2, 2, 5, workers=workers, progress=progress) == 4
        assert len(calls) == 7
    one, two = files(tmp_path / "one"), files(tmp_path / "two")
    assert one == two
    assert b"Created on" not in one["M/p00/Calibration/Camera.mat"]  # the time of writing
    assert {"U/imgs/1.jpg", "U/imgs/3.json", "M/p01/p01.txt", "M/p01/day02/0001.jpg"} <= one.keys()
    assert one["U/imgs/1.jpg"] != one["U/imgs/2.jpg"]
    write_unityeyes(tmp_path / "other", 1, 6, workers=1)
    assert files(tmp_path / "other")["imgs/1.jpg"] != one["U/imgs/1.jpg"]
    assert json.loads(one["U/imgs/1.json"]) == record(draw_scene(5, 0))


def test_mpiifacegaze_folder_has_the_genuine_layout(tmp_path: Path) -> None:
    write_mpiifacegaze(tmp_path, 1, 6, 0, workers=1)
    person = draw_someone(0, 0)
    home = tmp_path / "p00"
    lines = (home / "p00.txt").read_text().splitlines()
    assert len(lines) == 6
    for line in lines:
        columns = line.split()
        assert len(columns) == 28
        picture = cv2.imread(str(home / columns[0]))
        assert picture.shape == (720, 1280, 3)
        assert picture[:20].max() < 16  # everything but the face is blank
        assert columns[27] in ("left", "right")

    camera = scipy.io.loadmat(home / "Calibration" / "Camera.mat")
    np.testing.assert_array_equal(camera["cameraMatrix"], person.camera.matrix)
    np.testing.assert_array_equal(camera["distCoeffs"], person.camera.distortion)
    shapes = {key: value.shape for key, value in camera.items() if not key.startswith("__")}
    assert shapes == {
        "cameraMatrix": (3, 3),
        "distCoeffs": (1, 5),
        "retval": (1, 1),
        "rvecs": (100, 3),
        "tvecs": (100, 3),
    }
    screen = scipy.io.loadmat(home / "Calibration" / "screenSize.mat")
    pose = scipy.io.loadmat(home / "Calibration" / "monitorPose.mat")
    rotation, _ = cv2.Rodrigues(pose["rvects"])
    for line in lines:
        values = np.array([float(value) for value in line.split()[1:27]])
        pixel, landmarks, turn, place, center, target = np.split(values, [2, 14, 17, 20, 23])
        size = [screen[f"{side}_mm"].item() / screen[f"{side}_pixel"].item() for side in ("width", "height")]
        on_screen = rotation @ np.append(pixel * size, 0) + pose["tvecs"].ravel()
        np.testing.assert_allclose(target, on_screen, atol=1e-5)
        expected, _ = cv2.projectPoints(FACE_MODEL, turn, place, camera["cameraMatrix"], camera["distCoeffs"])
        np.testing.assert_allclose(landmarks, expected.ravel(), atol=1e-3)
        model = FACE_MODEL @ cv2.Rodrigues(turn)[0].T + place
        np.testing.assert_allclose(center, model.mean(axis=0), atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), indices)
def test_people_look_at_a_screen_below_the_camera(number: int, index: int) -> None:
    person = draw_someone(0, number)
    moment = draw_moment(person, 0, number, index)
    assert len(annotation(person, moment, index).split()) == 28
    assert abs(moment.target[0]) < 200
    assert -20 < moment.target[1] < 260
    assert abs(moment.target[2]) < 40
    for side in ("left", "right"):
        view, gaze = eye_view(person, moment, side)
        center = eye_center(side, moment.rotation, moment.translation)
        axis = view.to_camera(iris_points(person.appearance, gaze)).mean(axis=0) - view.center
        angles = vectors_to_angles(np.array([axis, moment.target - center]))
        assert angular_error(angles[0], angles[1]) < 1e-6
        assert np.linalg.norm(view.center - center) < 8
        # The nasal corner is on the inner side of either eye.
        inner, outer = view.project(margin_points(lids_of(person.appearance, gaze)))[[0, 8], 0]
        assert (inner < outer) == (side == "left")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), st.floats(200, 1000), st.floats(100, 600))
def test_rays_go_through_their_pixels(number: int, u: float, v: float) -> None:
    person = draw_someone(0, number)
    view, _ = eye_view(person, draw_moment(person, 0, number, 0), "right")
    origin, direction = view.rays(np.array([u, v]))
    points = origin + np.array([[400.0], [700.0]]) * direction
    np.testing.assert_allclose(view.project(points), [[u, v], [u, v]], atol=0.05)


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_webcam_pictures_show_the_labelled_iris(number: int) -> None:
    someone = draw_someone(0, number)
    evenly_lit = replace(someone.appearance, socket=0.0)
    person = replace(someone, webcam=CLEAN, appearance=evenly_lit)
    moment = draw_moment(person, 0, number, 0)
    seen = []
    for across in (-140.0, 140.0):
        looking = replace(
            moment,
            target=np.array([across, 60.0, 0.0]),
            rotation=np.eye(3),
            translation=np.array([0.0, 0.0, 550.0]),
        )
        grey = cv2.cvtColor(take_picture(person, NOON, looking), cv2.COLOR_RGB2GRAY)
        for side in ("left", "right"):
            view, gaze = eye_view(person, looking, side)
            margin = view.project(margin_points(lids_of(person.appearance, gaze)))
            iris = view.project(iris_points(person.appearance, gaze))
            assert iris_offset(grey, iris, margin, shrink=1) < 2
            seen.append((side, iris.mean(axis=0)[0] - view.project(np.zeros(3))[0]))
    for side in ("left", "right"):
        left, right = (offset for eye, offset in seen if eye == side)
        assert left < -2
        assert right > 2


def seen_offset(pictures: list[np.ndarray], iris: np.ndarray, margin: np.ndarray) -> tuple[float, float]:
    """Pixels between the iris seen and labelled, and the labelled one's visible share.

    The pictures differ in nothing but the iris' colour, so where their ratio is not 1 one sees the iris,
    in whatever light.
    """
    light, dark = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(float) + 2 for picture in pictures)
    ratio = cv2.GaussianBlur(np.log(light / dark), (0, 0), 1)
    lids, disc = np.zeros(ratio.shape, np.uint8), np.zeros(ratio.shape, np.uint8)
    cv2.fillPoly(lids, [np.round(margin * 16).astype(np.int32)], 1, shift=4)
    cv2.fillPoly(disc, [np.round(iris * 16).astype(np.int32)], 1, shift=4)
    labelled = np.argwhere(disc & lids)
    near = cv2.dilate(disc, np.ones((9, 9), np.uint8)) > 0
    seen = np.argwhere(near & (ratio > np.median(ratio[disc & lids > 0]) / 2))
    offset = float(np.linalg.norm(seen.mean(axis=0) - labelled.mean(axis=0)))
    return offset, len(labelled) / int(disc.sum())


IRISES = ("blue", "dark_brown")


def test_synthetic_irises_are_seen_where_they_are_labelled() -> None:
    offsets = []
    for index in range(40):
        scene = draw_scene(7, index)
        looks = [replace(scene, appearance=replace(scene.appearance, iris=iris)) for iris in IRISES]
        lids = lids_of(scene.appearance, scene.gaze)
        iris = scene.view.project(iris_points(scene.appearance, scene.gaze))
        margin, corner = (scene.view.project(points(lids)) for points in (margin_points, caruncle_points))
        pixel = 1.3 * np.linalg.norm(margin[8] - corner[-1]) / 60  # of the picture the networks see
        offset, visible = seen_offset([draw_picture(look) for look in looks], iris, margin)
        if visible > 0.5:
            offsets.append(offset / pixel)
    assert len(offsets) > 25
    assert np.mean(np.array(offsets) < 1) >= 0.95, offsets


def test_webcam_irises_are_seen_where_they_are_labelled() -> None:
    offsets = []
    for number in range(15):
        someone = draw_someone(0, number)
        moment = draw_moment(someone, 0, number, 0)
        pictures = [
            take_picture(
                replace(someone, appearance=replace(someone.appearance, iris=iris)),
                draw_day(0, number, 0),
                moment,
            )
            for iris in IRISES
        ]
        for side in ("left", "right"):
            view, gaze = eye_view(someone, moment, side)
            iris = view.project(iris_points(someone.appearance, gaze))
            margin = view.project(margin_points(lids_of(someone.appearance, gaze)))
            # 960 pixels of focal length at 600 mm make a picture of 60 x 36.
            pixel = someone.camera.matrix[0, 0] / np.linalg.norm(view.center) * 600 / 960
            offset, visible = seen_offset(pictures, iris, margin)
            if visible > 0.5:
                offsets.append(offset / pixel)
    assert len(offsets) > 20
    assert np.mean(np.array(offsets) < 1) >= 0.95, offsets


def test_gaze_angles_span_their_range_evenly() -> None:
    eyes = np.degrees([draw_scene(0, index).eye for index in range(800)])
    for column, limits in ((0, (-30, 10)), (1, (-25, 25))):
        counts, _ = np.histogram(eyes[:, column], bins=5, range=limits)
        assert counts.sum() == 800
        assert counts.min() > 110
    np.testing.assert_allclose(np.linalg.norm(angles_to_vectors(np.radians(eyes)), axis=1), 1)
