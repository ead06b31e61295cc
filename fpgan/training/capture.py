"""A training step captured as one CUDA graph. At batch size 8 a GPU spends more time waiting for the about
2 000 kernel launches of a step than computing; a graph launches them all at once."""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fpgan.training.loop import Training

EAGER_STEPS = 3  # before the capture, in which PyTorch initialises its libraries
TOLERANCE = 0.05  # relative difference of a scalar between the captured and the eager step

Tensors = dict[str, Tensor]


class CapturedStep:
    """A step as a CUDA graph: a function of tensors of fixed shapes that never waits for the device.

    The first steps run eagerly. Then one step is run both ways from the same state. If its scalars agree, all
    later steps are replayed; otherwise one warning is printed, and all later steps run eagerly.
    """

    def __init__(self, step: Callable[[Tensors], Tensors], training: Training) -> None:
        self.step = step
        self.training = training  # holds the state that the step changes
        self.eager_steps = EAGER_STEPS
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: Tensors = {}
        self.outputs: Tensors = {}

    def __call__(self, inputs: Tensors) -> Tensors:
        if self.graph is not None:
            return self._replay(inputs)
        if self.eager_steps == 0:
            self.eager_steps = -1  # the capture is tried once
            return self._capture(inputs)
        if self.eager_steps > 0:
            self.eager_steps -= 1
        return self._eager(inputs)

    def _eager(self, inputs: Tensors) -> Tensors:
        aside = torch.cuda.Stream()  # a capture requires earlier runs on another stream than the default
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            outputs = self.step(inputs)
        torch.cuda.current_stream().wait_stream(aside)
        return outputs

    def _capture(self, inputs: Tensors) -> Tensors:
        before = _cloned(self.training.state())
        expected = self._eager(inputs)
        after = _cloned(self.training.state())
        try:
            self.training.restore(before)
            self.inputs = {name: value.clone() for name, value in inputs.items()}
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.outputs = self.step(self.inputs)
            self.graph = graph
            found = self._replay(inputs)
            wrong = [
                name
                for name, value in expected.items()
                if not torch.allclose(value, found[name], rtol=TOLERANCE, atol=1e-3)
            ]
            if not wrong:
                return found
            reason = f"{', '.join(wrong)} differ"
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
        print(f"training without a CUDA graph, which is slower: {reason}", file=sys.stderr)
        self.graph = None
        self.training.restore(after)
        return expected

    def _replay(self, inputs: Tensors) -> Tensors:
        assert self.graph is not None
        for name, value in inputs.items():
            self.inputs[name].copy_(value, non_blocking=True)
        self.graph.replay()
        return {name: value.clone() for name, value in self.outputs.items()}


def _cloned(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _cloned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cloned(inner) for inner in value]
    return value
