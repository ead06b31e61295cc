"""Trained networks over any number of eye pictures, batch by batch, on whatever device they lie."""

from collections import abc
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fpgan.data.pictures import bytes_to_input, output_to_pictures, pictures_to_bytes
from fpgan.device import device_of
from fpgan.networks.domain_classifier import DomainClassifier
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.onnx_runtime import InOnnxRuntime
from fpgan.parallel import ahead, map_ahead

BATCH = 256
THREADS = 4  # that make batches of an eye set; a GPU wants them faster than one thread equalises

Work = TypeVar("Work")
Item = TypeVar("Item")
Result = TypeVar("Result")
Batch = tuple[Item, NDArray[np.uint8]]
"""Pictures (N, H, W) or (N, H, W, 3), and what belongs to them; N may be 0."""
Spread = Callable[[Callable[[Work], Result], Iterable[Work]], abc.Generator[Result, None, None]]
"""Maps a function over work in threads or processes, and keeps the order."""
IN_THREADS: Spread = partial(map_ahead, threads=THREADS)


def estimate_gaze(network: GazeNet, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gaze (N, 2), pitch and yaw in radians, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return _run(network, pictures)


def find_landmarks(network: LandmarkNet, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Landmarks (N, 18, 2), x and y in pixels, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return _run(network, pictures)


def translate_pictures(
    generator: Generator, pictures: NDArray[np.uint8], batch_size: int = BATCH
) -> NDArray[np.uint8]:
    """Translations of equalised pictures (N, H, W) or (N, H, W, 3), every one of them."""
    return _run(generator, pictures, batch_size, output_to_pictures)


def judge_domain(network: DomainClassifier, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (N,) of the target domain, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return _run(network, pictures)


def domain_features(network: DomainClassifier, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features (N, D) by which domains are told apart, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return _run(network.features, pictures)


def stream_translations(
    generator: Generator,
    work: Iterable[Work],
    prepare: Callable[[Work], Batch[Item]],
    spread: Spread = IN_THREADS,
) -> abc.Generator[tuple[Item, NDArray[np.uint8]], None, None]:
    """Translations of the equalised pictures of each batch, with its item, as `stream_gaze` makes them.

    On a processor ONNX Runtime computes them; single grey levels may be rounded otherwise than by PyTorch.
    """
    network: nn.Module = OfBytes(generator, output_to_pictures)
    if device_of(network).type == "cpu":
        network = InOnnxRuntime(network, torch.zeros(2, generator.channels, 32, 32, dtype=torch.uint8))
    return _stream(network, work, prepare, spread)


def stream_gaze(
    network: GazeNet,
    work: Iterable[Work],
    prepare: Callable[[Work], Batch[Item]],
    spread: Spread = IN_THREADS,
) -> abc.Generator[tuple[Item, NDArray[np.float32]], None, None]:
    """Gaze (N, 2) of the equalised pictures of each batch, with its item, in order.

    `prepare` makes a batch of a piece of work, several at a time; meanwhile the network runs over one and the
    caller uses the answers to another. Only these few are in memory. Close it when it is left early.
    """
    return _stream(OfBytes(network), work, prepare, spread)


class OfBytes(nn.Module):
    """A network from uint8 pictures (N, C, H, W) to its finished answers."""

    def __init__(self, network: nn.Module, finish: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.network = network
        self.finish = finish or nn.Identity()
        self.training = network.training  # what `_forward` goes back to, with the network

    def forward(self, pictures: Tensor) -> Tensor:
        return self.finish(self.network(bytes_to_input(pictures)))


def _stream(
    network: nn.Module, work: Iterable[Work], prepare: Callable[[Work], Batch[Item]], spread: Spread
) -> abc.Generator[tuple[Item, NDArray[Any]], None, None]:
    batches = ahead(_as_tensors(spread(prepare, work), pinned=device_of(network).type == "cuda"))
    for item, answer, arrival in ahead(_forward(network, batches)):
        yield item, _arrived(answer, arrival)


def _as_tensors(batches: Iterable[Batch[Item]], *, pinned: bool) -> Iterator[tuple[Item, Tensor]]:
    for item, pictures in batches:
        made = pictures_to_bytes(pictures)
        yield item, made.pin_memory() if pinned else made


def _run(
    network: nn.Module,
    pictures: NDArray[np.uint8],
    batch_size: int = BATCH,
    finish: Callable[[Tensor], Tensor] | None = None,
) -> NDArray[Any]:
    starts = range(0, len(pictures), batch_size)
    batches = ((start, pictures_to_bytes(pictures[start : start + batch_size])) for start in starts)
    answers = _forward(OfBytes(network, finish), batches)
    return np.concatenate([_arrived(answer, arrival) for _, answer, arrival in answers])


@torch.inference_mode()
def _forward(
    network: nn.Module, batches: Iterable[tuple[Item, Tensor]]
) -> Iterator[tuple[Item, Tensor, torch.cuda.Event | None]]:
    """Finished answers in this machine's memory; those of a GPU arrive there with the event."""
    device = device_of(network)
    was_training = network.training
    network.eval()
    try:
        for item, pictures in batches:
            given = pictures.to(device, non_blocking=True)
            answer = network(given) if len(given) else given
            answer = answer.to("cpu", non_blocking=True)
            arrival = None
            if device.type == "cuda":
                arrival = torch.cuda.Event()
                arrival.record()
            yield item, answer, arrival
    finally:
        network.train(was_training)


def _arrived(answer: Tensor, arrival: torch.cuda.Event | None) -> NDArray[Any]:
    if arrival is not None:
        arrival.synchronize()
    return answer.numpy()
