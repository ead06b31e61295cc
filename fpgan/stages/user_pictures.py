"""Trained networks on a user's own pictures: finds network and picture shape, and says what was done."""

from pathlib import Path
from typing import Literal

from fpgan.datasets.pictures import PictureShape
from fpgan.errors import InputError
from fpgan.estimation import estimate_folder
from fpgan.layout import Branch, Trial
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.store import load_network
from fpgan.params import Params
from fpgan.picture_folder import FolderResult
from fpgan.stages.progress import progress_bar
from fpgan.training.distributed import default_device
from fpgan.translation import translate_folder


def translate_pictures_stage(
    params: Params,
    source: Path,
    output: Path,
    direction: Literal["s2r", "r2s"],
    model: Path | None,
    *,
    flip: bool,
) -> str:
    """Translates a folder of pictures by a generator, unless told by the default pipeline's first."""
    weights = model or Trial(Branch(), params.seeds[0]).generator(direction)
    generator = load_network(weights, Generator)
    if generator.channels != params.eyes.channels:
        raise InputError(
            f"{weights}: translates pictures of {generator.channels} channels, but eyes.color says "
            f"{params.eyes.channels}; try --set eyes.color={str(generator.channels == 3).lower()}"
        )
    shape = PictureShape(params.eyes.height, params.eyes.width, params.eyes.color)
    with progress_bar("picture") as advance:
        result = translate_folder(
            generator.to(default_device()),
            source,
            output,
            shape,
            flip=flip,
            batch_size=params.translate.batch_size,
            progress=advance,
        )
    return _in_words(
        result, shape, output, "translations.csv", f"translated {direction} by {weights}", flip=flip
    )


def estimate_gaze_stage(params: Params, source: Path, output: Path, model: Path | None, *, flip: bool) -> str:
    """Estimates gaze in a folder of pictures, unless told by the default pipeline's first estimator for
    real eyes."""
    weights = model or Trial(Branch(), params.seeds[0]).gaze_net("translated")
    network = load_network(weights, GazeNet)
    shape = PictureShape(network.height, network.width, network.channels == 3)
    with progress_bar("picture") as advance:
        result = estimate_folder(
            network.to(default_device()), source, output, shape, flip=flip, progress=advance
        )
    return _in_words(result, shape, output, "gaze.csv", f"estimated by {weights}", flip=flip)


def _in_words(
    result: FolderResult, shape: PictureShape, output: Path, table: str, done: str, *, flip: bool
) -> str:
    mirrored = ", mirrored before and back after" if flip else ""
    return "\n".join(
        [
            f"{output}: {result.read} pictures {done}, seen as {shape}{mirrored}; listed in {output / table}",
            *result.remarks(shape, output / table),
        ]
    )
