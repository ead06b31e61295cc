"""The command that estimates gaze in a folder of a user's own pictures."""

from pathlib import Path

from fpgan.device import default_device
from fpgan.domains import TrainedOn
from fpgan.layout import Branch, Trial
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.weights import load_network
from fpgan.own_pictures.estimating import TABLE, estimate_folder
from fpgan.params import EyePicture, Params
from fpgan.progress import progress_bar


def estimate_gaze(params: Params, source: Path, output: Path, model: Path | None, *, flip: bool) -> str:
    """Estimates gaze in a folder of pictures, by default with the first estimator for real eyes."""
    weights = model or Trial(Branch(), params.seeds[0]).gaze_net(TrainedOn.TRANSLATED)
    network = load_network(weights, GazeNet)
    # Not validated: a network may be of a size that the pipeline does not offer.
    shape = EyePicture.model_construct(
        width=network.width, height=network.height, color=network.channels == 3
    )
    with progress_bar("picture") as advance:
        result = estimate_folder(
            network.to(default_device()), source, output, shape, flip=flip, progress=advance
        )
    return result.in_words(shape, output / TABLE, f"estimated by {weights}", flip=flip)
