"""Runs trained networks over any number of eye pictures, batch by batch, on the networks' device."""

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
THREADS = 4  # that prepare batches of an eye set; a GPU needs batches faster than one thread equalises them

Work = TypeVar("Work")
Item = TypeVar("Item")
Result = TypeVar("Result")
Batch = tuple[Item, NDArray[np.uint8]]
"""An item, such as the eyes of a batch, with its pictures (N, H, W) or (N, H, W, 3); N may be 0."""
Spread = Callable[[Callable[[Work], Result], Iterable[Work]], abc.Generator[Result, None, None]]
"""Maps a function over work, in threads or processes, in order."""
IN_THREADS: Spread = partial(map_ahead, threads=THREADS)


def answers(
    network: nn.Module,
    pictures: NDArray[np.uint8],
    batch_size: int = BATCH,
    finish: Callable[[Tensor], Tensor] | None = None,
) -> NDArray[Any]:
    """Answers (N, ...) to equalised pictures (N, H, W) or (N, H, W, 3), passed through `finish`."""
    starts = range(0, len(pictures), batch_size)
    batches = ((start, pictures_to_bytes(pictures[start : start + batch_size])) for start in starts)
    forwarded = _forward(OfBytes(network, finish), batches)
    return np.concatenate([_arrived(answer, arrival) for _, answer, arrival in forwarded])


def estimate_gaze(network: GazeNet, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gaze (N, 2), pitch and yaw in radians, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return answers(network, pictures)


def find_landmarks(network: LandmarkNet, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Landmarks (N, 18, 2), x and y in pixels, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return answers(network, pictures)


def translate_pictures(
    generator: Generator, pictures: NDArray[np.uint8], batch_size: int = BATCH
) -> NDArray[np.uint8]:
    """Translations of equalised pictures, of the same shape (N, H, W) or (N, H, W, 3)."""
    return answers(generator, pictures, batch_size, output_to_pictures)


def judge_domain(network: DomainClassifier, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (N,) of the target domain, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return answers(network, pictures)


def domain_features(network: DomainClassifier, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features (N, D) that distinguish domains, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return answers(network.features, pictures)


def stream_translations(
    generator: Generator,
    work: Iterable[Work],
    prepare: Callable[[Work], Batch[Item]],
    spread: Spread = IN_THREADS,
) -> abc.Generator[tuple[Item, NDArray[np.uint8]], None, None]:
    """Yields each batch's item and the translations of its equalised pictures, like `stream_gaze`.

    On a CPU ONNX Runtime computes them. Its rounding of single grey levels may differ from PyTorch's.
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
    """Yields each batch's item and the gaze (N, 2) in its equalised pictures, in order.

    `prepare` makes a batch from a piece of work. It prepares several at a time while the network processes
    another batch and the caller uses the answers to a third; only these few are in memory. Close the
    generator when you leave it early.
    """
    return _stream(OfBytes(network), work, prepare, spread)


class OfBytes(nn.Module):
    """A network that takes uint8 pictures (N, C, H, W) and passes its answers to `finish`."""

    def __init__(self, network: nn.Module, finish: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.network = network
        self.finish = finish or nn.Identity()
        self.training = network.training  # the mode that `_forward` restores, also in the network

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


@torch.inference_mode()
def _forward(
    network: nn.Module, batches: Iterable[tuple[Item, Tensor]]
) -> Iterator[tuple[Item, Tensor, torch.cuda.Event | None]]:
    """Answers in main memory; those of a GPU are complete when the event has occurred."""
    device = device_of(network)
    was_training = network.training
    network.eval()
    try:
        for item, pictures in batches:
            moved = pictures.to(device, non_blocking=True)
            answer = network(moved) if len(moved) else moved
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
