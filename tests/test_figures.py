from pathlib import Path

import numpy as np
import pytest
from conftest import draw_eyes
from estimating import made_up

from fpgan.figures.error_figures import error_distributions, error_maps, person_errors
from fpgan.figures.eye_sheets import eye_sheet, translation_sheet
from fpgan.figures.gaze_figures import gaze_figure


def test_sheets_are_drawn_for_labelled_and_unlabelled_eyes(tmp_path: Path) -> None:
    eyes = draw_eyes(10, seed=0)
    unknown = np.full_like(eyes.gaze, np.nan)
    figures = [
        eye_sheet(eyes.image, eyes.gaze, eyes.landmarks),
        eye_sheet(eyes.image, unknown, np.full_like(eyes.landmarks, np.nan)),
        translation_sheet(eyes.image, eyes.image, gaze_after=eyes.gaze, landmarks_after=eyes.landmarks),
        gaze_figure({"synthetic": eyes.gaze}),
    ]
    for i, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{i}.png")
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == 4
    # The labels are drawn on the first sheet and absent from the second.
    assert sizes[0] > sizes[1] > 3000


def test_the_curve_is_the_share_of_eyes_below_each_error(tmp_path: Path) -> None:
    estimates = made_up()
    figure = error_distributions(estimates)
    figure.savefig(tmp_path / "errors.png")
    curves = {
        line.get_label().split(":")[0]: line for line in figure.axes[0].get_lines() if ":" in line.get_label()
    }
    assert list(curves) == ["mean gaze", "no adaptation", "forward", "real bound"]
    degrees, share = curves["forward"].get_data()
    assert share[np.searchsorted(degrees, 5) - 1] == pytest.approx(estimates["forward"].share_under(5))
    assert len({line.get_color() for line in curves.values()}) == 4


def test_maps_share_one_scale_and_look_as_the_eye_does(tmp_path: Path) -> None:
    estimates = made_up()
    true = estimates["forward"].true
    figure = error_maps(estimates, true, "gaze")
    figure.savefig(tmp_path / "maps.png")
    maps = [axes for axes in figure.axes if axes.get_title() and "eyes" not in axes.get_title()]
    assert [axes.get_title().split(",")[0] for axes in maps] == [name.replace("_", " ") for name in estimates]
    assert len({axes.collections[0].get_clim() for axes in maps}) == 1
    assert all(axes.xaxis_inverted() and not axes.yaxis_inverted() for axes in maps)
    assert "image left" in maps[0].get_xlabel()


def test_maps_by_head_pose_say_how_many_eyes_have_none() -> None:
    estimates = made_up(eyes=20)
    head = np.zeros((60, 2))
    head[:7] = np.nan
    titles = [axes.get_title() for axes in error_maps(estimates, head, "head").axes]
    assert "eyes in each bin, 7 more are unknown" in titles
    with pytest.raises(ValueError, match="no eye"):
        error_maps(estimates, np.full((60, 2), np.nan), "head")


@pytest.mark.parametrize(("persons", "eyes"), [(1, 30), (3, 30), (4, 1), (15, 3)])
def test_every_person_and_all_of_them_have_a_place(tmp_path: Path, persons: int, eyes: int) -> None:
    estimates = made_up(persons=persons, eyes=eyes) | {"backward": made_up(1, persons, eyes)["forward"]}
    figure = person_errors(estimates)
    figure.savefig(tmp_path / "persons.png")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == [*estimates["forward"].persons, "all"]
    dots = {line.get_label(): line.get_data() for line in axes.get_lines() if line.get_label()[0] != "_"}
    places, means = dots["no adaptation"]
    assert means[-1] == pytest.approx(estimates["no_adaptation"].mean)
    np.testing.assert_array_equal(np.round(places), np.arange(persons + 1))
    assert axes.get_ylim()[1] < 90  # the interval of a single eye is left out
