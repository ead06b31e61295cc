"""Networks as single safetensors files that carry what is needed to build them again."""

import json
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from fpgan.errors import InputError
from fpgan.files.writing import replacing
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet

Network = TypeVar("Network", bound=nn.Module)

NETWORKS: dict[str, type[nn.Module]] = {c.__name__: c for c in (Generator, GazeNet, LandmarkNet)}


def save_network(path: Path, network: nn.Module, arguments: dict[str, Any]) -> None:
    """Writes a network's weights and the `arguments` its class is built with; whole or not at all.

    Raises Unavailable when there is no room for the file.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    # One entry: safetensors writes several in an order that differs between runs, and with it the digest.
    metadata = {"network": json.dumps({"name": type(network).__name__, "arguments": arguments})}
    with replacing(path, sum(weight.nbytes for weight in weights.values())) as partial:
        save_file(weights, partial, metadata)


def load_network(path: Path, kind: type[Network]) -> Network:
    """The network in a file, of the given kind (`nn.Module`: any), in evaluation mode on the CPU.

    Raises InputError when the file is absent, damaged, or holds another kind of network.
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
    found = NETWORKS.get(stored["name"])
    if found is None or not issubclass(found, kind):
        wanted = kind.__name__ if kind.__name__ in NETWORKS else "network of this project"
        raise InputError(f"{path}: holds a {stored['name']}, not a {wanted}")
    network = found(**stored["arguments"])
    network.load_state_dict(weights)
    return network.eval()


def save_absence(path: Path, reason: str) -> None:
    """Writes, in place of a network that could not be trained, a file that says why."""
    with replacing(path) as partial:
        save_file({}, partial, {"absent": reason})


def absence(path: Path) -> str | None:
    """Why the file of a network holds none; None when it holds one, or does not exist."""
    if not path.is_file():
        return None
    with safe_open(path, "pt") as file:
        return (file.metadata() or {}).get("absent")
