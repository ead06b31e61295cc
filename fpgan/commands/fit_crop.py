"""The command that finds the crop by which UnityEyes' eyes are framed like those of the real set."""

import json
import tempfile
from pathlib import Path

import numpy as np

from fpgan.data.datasets import prepare, recognize
from fpgan.data.eye_set import load_eyes
from fpgan.data.eyes import Eyes
from fpgan.data.unityeyes import UNITYEYES
from fpgan.errors import InputError
from fpgan.inspection.framing import WIDTH, Framing, FramingDifference, compare, measure_framing
from fpgan.inspection.inspection_figure import comparison_figure
from fpgan.inspection.inspection_report import HEIGHT_ACCURACY, PLACE_ACCURACY, compare_in_words, fit_report
from fpgan.inspection.survey import survey
from fpgan.layout import RESULTS
from fpgan.params import Params, PrepareUnityEyes

EYES = 500  # of each set that are measured
ROUNDS = 2  # the first measurement errs for very wide or narrow crops, the second is near the right crop


def fit_crop(params: Params) -> str:
    """Fits the crop of `prepare_unityeyes` to the real set; returns the values to set, and the evidence.

    Irises of both sets get the same size, and the same place if their places differ by more than the
    accuracy of the measurement. Test persons' pictures are used only if there are no others. Writes a figure
    and JSON to results/fit-crop. Raises InputError when the synthetic eyes are not a UnityEyes folder.
    """
    source = params.data.unityeyes
    if recognize(source) is not UNITYEYES:
        raise InputError(f"{source}: only a UnityEyes folder can be cropped anew; set data.unityeyes to one")
    real_eyes = _real_eyes(params)
    real = measure_framing(real_eyes)
    section = params.prepare_unityeyes
    eyes = _crop(params, section)
    framing = before = measure_framing(eyes)
    for _ in range(ROUNDS):
        section = next_crop(section, framing, compare(framing, real))
        eyes = _crop(params, section)
        framing = measure_framing(eyes)
    comparison = compare(framing, real)
    sentences = compare_in_words(framing, real, comparison)
    names = f"{source}, crop fitted", str(params.data.mpiifacegaze)
    output = RESULTS / "fit-crop"
    output.mkdir(parents=True, exist_ok=True)
    figure = comparison_figure(names, (framing, real), (eyes, real_eyes), comparison, sentences)
    figure.savefig(output / "comparison.png")
    record = {
        "crop_width": section.crop_width,
        "crop_shift": list(section.crop_shift),
        "iris_radius": {
            "before": before.iris_radius,
            "fitted": framing.iris_radius,
            "real": real.iris_radius,
        },
        "iris_center": {
            "before": before.iris_center.tolist(),
            "fitted": framing.iris_center.tolist(),
            "real": real.iris_center.tolist(),
        },
    }
    (output / "fit.json").write_text(json.dumps(record, indent=2) + "\n")
    return fit_report(params, section, before, framing, real, sentences) + (
        f"\n\nWritten: {output / 'comparison.png'}, {output / 'fit.json'}"
    )


def next_crop(section: PrepareUnityEyes, framing: Framing, comparison: FramingDifference) -> PrepareUnityEyes:
    """The crop that removes the difference between synthetic eyes, cropped by `section`, and real eyes."""
    width = float(np.clip(section.crop_width * comparison.scale, 0.55, 3.95))
    real_center = framing.iris_center - comparison.shift
    # The wanted movement of the irises, in eye widths from the middle of the crop.
    move = framing.iris_center / WIDTH * section.crop_width - real_center / WIDTH * width
    pixels = np.abs(move) / width * WIDTH
    move[pixels < [PLACE_ACCURACY, HEIGHT_ACCURACY]] = 0
    x, y = np.clip(np.add(section.crop_shift, move), -0.5, 0.5)
    return section.model_copy(
        update={"crop_width": round(width, 2), "crop_shift": (round(float(x), 3), round(float(y), 3))}
    )


def _crop(params: Params, section: PrepareUnityEyes) -> Eyes:
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "eyes.h5"
        # Other processes would start more slowly than these few pictures are prepared.
        prepare(UNITYEYES, params.data.unityeyes, prepared, params.eyes, section, at_most=EYES, workers=1)
        return load_eyes(prepared)


def _real_eyes(params: Params) -> Eyes:
    eyes = survey(params.data.mpiifacegaze, params).eyes
    others = ~np.isin(eyes.person, params.split.test_persons)
    if others.any():
        eyes = eyes.select(others)
    return eyes.select(np.random.default_rng(0).permutation(len(eyes))[:EYES])
