"""The loop of all trainings: steps, ticks, checkpoints and signals.

A killed training that is started again resumes from its newest checkpoint and gives the same result as an
uninterrupted one: all that a step depends on is in the checkpoint or a pure function of the step's number.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from fpgan.errors import Interrupted
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.distributed import Processes
from fpgan.training.recorder import Recorder

History = list[dict[str, float]]
"""One row per tick: the tick's number and its scores."""


class Training(Protocol):
    """A training that the loop can run."""

    def step(self, step: int) -> dict[str, Tensor]:
        """Trains on batch `step`, counted from 0; returns scalars under the same names every time."""

    def watch(self, number: int) -> dict[str, float]:
        """Scores on held-out eyes after `number` steps or epochs; called in the leading process only.

        Each score is logged under its name.
        """

    def collapses(self, row: dict[str, float]) -> dict[str, str]:
        """Problems seen in a row of scores: a sentence for each, by a short name."""

    def ended_early(self, history: History) -> bool:
        """Whether the remaining steps are not needed."""

    def state(self) -> dict[str, Any]:
        """Everything that changes from step to step, as tensors, numbers, strings, lists and dicts."""

    def restore(self, state: dict[str, Any]) -> None:
        """Restores a result of `state`."""


def run_training(
    training: Training,
    *,
    steps: int,
    steps_per_tick: int,
    tick: Literal["step", "epoch"],  # unit of the numbers in the history and the record
    checkpoint_every: int,  # steps
    batch_size: int,
    batch_of: str,  # unit of the rate: 'pairs' or 'eyes'
    checkpoints: Checkpoints | None,  # None in all processes but the leading one
    recorder: Recorder,
    processes: Processes,
) -> History:
    """Trains to the last step or an early end, and returns the history; resumes from the newest checkpoint.

    Raises FloatingPointError when a scalar is no longer finite, and Interrupted after SIGTERM or SIGINT. The
    checkpoints stay in both cases.
    """
    history: History = []
    summed: dict[str, Tensor] = {}
    counted = done = 0  # steps since the last tick, and in total
    if state := processes.from_leader(checkpoints.latest() if checkpoints else None):
        training.restore(state["training"])
        history, counted, done = state["history"], state["counted"], state["step"]
        summed = {name: value.to(processes.device) for name, value in state["summed"].items()}

    def save() -> None:
        if checkpoints:
            now = {"training": training.state(), "history": history, "summed": summed, "counted": counted}
            checkpoints.save(done, now)

    with (
        noticing_signals() as noticed,
        tqdm(total=steps, initial=done, unit="step", disable=None if processes.leads else True) as bar,
    ):
        if done == 0 and processes.leads and (scores := training.watch(0)):
            recorder.metrics(0, scores)
        timed, started = done, time.perf_counter()
        while done < steps and not training.ended_early(history):
            for name, value in training.step(done).items():
                summed[name] = summed[name] + value if name in summed else value
            done, counted = done + 1, counted + 1
            bar.update()

            at_tick = done % steps_per_tick == 0 or done == steps
            due = done % checkpoint_every == 0 or done == steps
            if at_tick or due:
                row = _means(summed, counted, processes)
                _check_finite(row, done)
            if at_tick:
                number = done if tick == "step" else -(-done // steps_per_tick)
                rate = (done - timed) * batch_size / (time.perf_counter() - started)
                if processes.leads:
                    row |= training.watch(number)
                    recorder.metrics(number, row | {f"{batch_of}_per_second": rate})
                    known = training.collapses(history[-1]) if history else {}
                    for name, problem in training.collapses(row).items():
                        if name not in known:
                            recorder.warn(number, problem)
                    left = (steps - done) * batch_size / rate
                    bar.write(status_line(f"{tick} {number}", left, f"{rate:.1f} {batch_of}/s", row))
                history.append({tick: number, **row})
                summed, counted = {}, 0
                timed, started = done, time.perf_counter()
            # Several processes agree on a stop at ticks only, so that no step waits for all of them.
            stop = noticed() if processes.count == 1 else at_tick and processes.any(bool(noticed()))
            if due or stop:
                save()
            if stop:
                raise Interrupted(done, noticed() or signal.SIGTERM)
    return history


def _means(summed: dict[str, Tensor], counted: int, processes: Processes) -> dict[str, float]:
    """Means over steps and processes. Only here does the host wait for the device."""
    means = torch.stack(list(summed.values())).float() / counted
    processes.average([means])
    return dict(zip(summed, means.tolist(), strict=True))


def _check_finite(row: dict[str, float], step: int) -> None:
    if wrong := [name for name, value in row.items() if not math.isfinite(value)]:
        raise FloatingPointError(
            f"{', '.join(wrong)} no longer finite at step {step}; training stopped, its checkpoints stay; "
            "lower the learning rate or the loss weights"
        )


def status_line(place: str, seconds_left: float, rate: str, row: dict[str, float]) -> str:
    """One line for the console: progress, time left, rate, losses and errors."""
    shown = [
        f"{name.removeprefix('loss/')} {value:.3g}"
        for name, value in row.items()
        if "loss" in name or name.endswith(("error_degrees", "error_pixels"))
    ]
    return f"{place}  {seconds_left / 60:.1f} min left  {rate}  {'  '.join(shown)}"


@contextmanager
def noticing_signals() -> Iterator[Callable[[], int | None]]:
    """Defers SIGTERM and SIGINT in the block; yields a function that returns the first signal, if any."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, note) for number in signals}
    try:
        yield lambda: seen[0] if seen else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
