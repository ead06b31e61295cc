"""A trained generator applied to a folder of pictures."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgan.networks.generator import Generator
from fpgan.networks.inference import stream_translations
from fpgan.own_pictures.folder import FolderResult, run_over_folder
from fpgan.params import EyePicture

TABLE = "translations.csv"


def translate_folder(
    generator: Generator,
    source: Path,
    output: Path,
    shape: EyePicture,
    *,
    flip: bool,
    batch_size: int,
    progress: Callable[[int, int], object] | None = None,
) -> FolderResult:
    """Translates a user's pictures, each as a PNG of the wanted shape, listed in translations.csv.

    With `flip` they are mirrored for the network, and the translations are mirrored back. Raises InputError
    as `run_over_folder` does.
    """
    return run_over_folder(
        stream_translations,
        generator,
        partial(_mirrored_back, flip),
        source,
        output,
        shape,
        table=TABLE,
        columns=(),
        flip=flip,
        batch_size=batch_size,
        progress=progress,
    )


def _mirrored_back(
    flip: bool, _: NDArray[np.uint8], translation: NDArray[np.uint8]
) -> tuple[NDArray, Sequence]:
    return translation[:, ::-1] if flip else translation, ()
