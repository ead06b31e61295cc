"""Networks as single safetensors files that also hold the arguments to build them again."""

import json
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fpgan.errors import InputError
from fpgan.files.writing import replacing
from fpgan.networks.eye_network import EyeNetwork
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet

Network = TypeVar("Network", bound=EyeNetwork)

KINDS: dict[str, type[EyeNetwork]] = {kind.__name__: kind for kind in (Generator, GazeNet, LandmarkNet)}
"""The networks that can be loaded without naming their kind, by the name of the class."""


def save_network(path: Path, network: EyeNetwork, arguments: dict[str, Any]) -> None:
    """Writes a network's weights and the `arguments` of its class, completely or not at all.

    Raises Unavailable when there is no room for the file.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    # One entry only: safetensors writes several in a random order, and the digest would differ between runs.
    metadata = {"network": json.dumps({"name": type(network).__name__, "arguments": arguments})}
    with replacing(path, sum(weight.nbytes for weight in weights.values())) as partial:
        save_file(weights, partial, metadata)


def load_network(path: Path, kind: type[Network]) -> Network:
    """The network in a file, of the given kind (`EyeNetwork`: any), in evaluation mode on the CPU.

    Raises InputError when the file is absent or damaged, or holds another kind of network or one of an
    unknown architecture.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: no such model; train it first") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable model ({error})") from None
    if reason := metadata.get("absent"):
        raise InputError(f"{path}: holds no network: {reason}")
    stored = json.loads(metadata.get("network", '{"name": "network of unknown kind"}'))
    found = kind if kind.__name__ == stored["name"] else KINDS.get(stored["name"])
    if found is None or not issubclass(found, kind):
        wanted = "network of this project" if kind is EyeNetwork else kind.__name__
        raise InputError(f"{path}: holds a {stored['name']}, not a {wanted}")
    try:
        network = found(**stored["arguments"])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    network.load_state_dict(weights)
    return network.eval()


def save_absence(path: Path, reason: str) -> None:
    """Writes a file with the reason why a network could not be trained, in place of the network."""
    with replacing(path) as partial:
        save_file({}, partial, {"absent": reason})


def absence(path: Path) -> str | None:
    """The reason why a model file holds no network; None when it holds one, or does not exist."""
    if not path.is_file():
        return None
    with safe_open(path, "pt") as file:
        return (file.metadata() or {}).get("absent")
