"""The command that translates a folder of a user's own pictures."""

from pathlib import Path

from fpgan.device import default_device
from fpgan.domains import Direction
from fpgan.errors import InputError
from fpgan.layout import Branch, Trial
from fpgan.networks.generator import Generator
from fpgan.networks.weights import load_network
from fpgan.own_pictures.translating import TABLE, translate_folder
from fpgan.params import Params
from fpgan.progress import progress_bar


def translate_pictures(
    params: Params,
    source: Path,
    output: Path,
    direction: Direction,
    model: Path | None,
    *,
    flip: bool,
) -> str:
    """Translates a folder of pictures, by default with the pipeline's first generator."""
    weights = model or Trial(Branch(), params.seeds[0]).generator(direction)
    generator = load_network(weights, Generator)
    if generator.channels != params.eyes.channels:
        raise InputError(
            f"{weights}: translates pictures of {generator.channels} channels, but eyes.color says "
            f"{params.eyes.channels}; try --set eyes.color={str(generator.channels == 3).lower()}"
        )
    with progress_bar("picture") as advance:
        result = translate_folder(
            generator.to(default_device()),
            source,
            output,
            params.eyes,
            flip=flip,
            batch_size=params.translate.batch_size,
            progress=advance,
        )
    return result.in_words(params.eyes, output / TABLE, f"translated {direction} by {weights}", flip=flip)
