"""Trains FP-GAN: two generators, G: S -> R and F: R -> S, and a discriminator for each domain.

CycleGAN (Zhu et al., ICCV 2017), with frozen networks that make a translation preserve the gaze and the
landmarks of its source (FP-GAN; gaze after Lee, Kim, Suh, ICLR 2018). The networks and the terms of the loss
are in `fpgan.training.objective`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from fpgan import losses
from fpgan.data.pictures import bytes_to_input, pictures_to_bytes
from fpgan.domains import Direction
from fpgan.training.averaging import average_decay, averaged_copy, update_average
from fpgan.training.batches import batch_rows
from fpgan.training.capture import CapturedStep
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.collapse import collapses
from fpgan.training.differentiable_augmentation import change, draw_changes
from fpgan.training.distributed import Processes
from fpgan.training.loop import History, run_training
from fpgan.training.objective import (
    Generators,
    Judge,
    Networks,
    Tensors,
    feature_losses,
    find_targets,
    generator_losses,
)
from fpgan.training.pool import ImagePool, plan_exchange
from fpgan.training.precision import Precision, computing_in, tensor_cores
from fpgan.training.recorder import Recorder
from fpgan.training.schedule import schedule_factor, set_learning_rate

if TYPE_CHECKING:
    from fpgan.params import TrainGAN

TASK_METRIC = f"{Direction.R2S}/gaze_error_degrees"
"""The score that chooses the best generators: the error of the estimator trained on S, on held-out real eyes
translated to S."""


@dataclass(frozen=True)
class TrainingEyes:
    """The unpaired training eyes of both domains."""

    synthetic: NDArray[np.uint8]
    """(N, H, W) or (N, H, W, 3)"""
    real: NDArray[np.uint8]
    """(M, H, W) or (M, H, W, 3)"""
    landmarks: NDArray[np.float32]
    """(N, 18, 2) true landmarks of the synthetic eyes in pixels, NaN where unknown."""


Watcher = Callable[[int, Generators], dict[str, float]]
"""Scores the generators on held-out eyes, at step 0 and at every tick; each score is logged by its name."""


def train_gan(
    networks: Networks,
    *,
    eyes: TrainingEyes,
    features: Mapping[str, nn.Module],  # the frozen networks, by their keys in FROZEN_FEATURES
    watch: Watcher,
    params: TrainGAN,
    seed: int,  # of the order of the eyes, the image pools and the random changes
    precision: Precision,
    capture: bool,  # whether a step is captured as a CUDA graph
    checkpoints: Checkpoints | None,  # None in all processes but the leading one
    recorder: Recorder,
    processes: Processes,
) -> tuple[Generators, History]:
    """Trains the networks; returns the generators to keep, and one row of scores per tick.

    Resumes from the newest checkpoint. Raises FloatingPointError and Interrupted like `run_training`.
    """
    training = GANTraining(networks, eyes, features, watch, params, seed, precision, capture, processes)
    with tensor_cores(processes.device):
        history = run_training(
            training,
            steps=params.steps,
            steps_per_tick=params.tick,
            tick="step",
            checkpoint_every=params.checkpoint_every,
            batch_size=params.batch_size,
            batch_of="pairs",
            checkpoints=checkpoints,
            recorder=recorder,
            processes=processes,
        )
    return training.kept(), history


class GANTraining:
    """The state and the step of a GAN training: a `training.loop.Training`."""

    def __init__(
        self,
        networks: Networks,
        eyes: TrainingEyes,
        features: Mapping[str, nn.Module],
        watch: Watcher,
        params: TrainGAN,
        seed: int,
        precision: Precision,
        capture: bool,
        processes: Processes,
    ) -> None:
        device = processes.device
        for network in networks.all().values():
            network.to(device).train()
        self.networks, self.watch_generators = networks, watch
        self.features = {name: network.to(device) for name, network in features.items()}
        self.params, self.seed, self.precision, self.processes = params, seed, precision, processes
        self.synthetic = pictures_to_bytes(eyes.synthetic).to(device)
        self.real = pictures_to_bytes(eyes.real).to(device)
        drawn = params.steps * params.batch_size
        labels = {"landmarks": eyes.landmarks} if params.landmark_target == "label" else {}
        targets_s = find_targets(self.features, eyes.synthetic, labels, drawn, seed, params.weights)
        targets_r = find_targets(self.features, eyes.real, {}, drawn, seed + 1, params.weights)
        self.targets_s = {name: values.to(device) for name, values in targets_s.items()}
        self.targets_r = {name: values.to(device) for name, values in targets_r.items()}

        self.generator_weights = [*networks.G.parameters(), *networks.F.parameters()]
        self.discriminator_weights = [*networks.D_R.parameters(), *networks.D_S.parameters()]
        self.optimizers = [
            torch.optim.Adam(
                weights,
                lr=torch.tensor(params.learning_rate, device=device) if capture else params.learning_rate,
                betas=(params.beta1, 0.999),
                fused=True,
                capturable=capture,
            )
            for weights in (self.generator_weights, self.discriminator_weights)
        ]
        pool = (params.pool_size, params.batch_size, tuple(self.real.shape[1:]), device)
        self.pool_r, self.pool_s = ImagePool(*pool), ImagePool(*pool)
        self.averages: Generators | None = None
        if params.average_decay:
            self.averages = Generators(averaged_copy(networks.G), averaged_copy(networks.F))
        self.best_score = math.inf
        self.best: dict[str, Any] = {}
        self.run_update = CapturedStep(self.update, self) if capture else self.update

    def step(self, step: int) -> Tensors:
        for optimizer in self.optimizers:
            set_learning_rate(optimizer, self.learning_rate(step))
        return self.run_update(self.inputs(step))

    def learning_rate(self, step: int) -> float:
        """The learning rate of batch `step`, counted from 0."""
        return self.params.learning_rate * schedule_factor(self.params.schedule, step, self.params.steps)

    def inputs(self, step: int) -> Tensors:
        """The inputs of a step that come from the host: a pure function of its number."""
        params, seed, processes = self.params, self.seed, self.processes
        rows_s = batch_rows(step, params.batch_size, len(self.synthetic), seed)
        rows_r = batch_rows(step, params.batch_size, len(self.real), seed + 1)
        exchange_r = plan_exchange(step, params.batch_size, params.pool_size, seed)
        exchange_s = plan_exchange(step, params.batch_size, params.pool_size, seed + 1)
        arrays = {
            "rows_s": processes.share(rows_s),
            "rows_r": processes.share(rows_r),
            "place_r": exchange_r.place,
            "give_back_r": exchange_r.give_back,
            "place_s": exchange_s.place,
            "give_back_s": exchange_s.give_back,
            "decay": np.array(average_decay(params.average_decay, step), np.float32),
        }
        if params.discriminator_augmentation:
            arrays["change_r"] = processes.share(draw_changes(step, params.batch_size, seed))
            arrays["change_s"] = processes.share(draw_changes(step, params.batch_size, seed + 1))
        return {
            name: torch.from_numpy(array).to(processes.device, non_blocking=True)
            for name, array in arrays.items()
        }

    def update(self, inputs: Tensors) -> Tensors:
        """One step of the generators, then one of the discriminators; returns the scalars to log."""
        s = bytes_to_input(self.synthetic[inputs["rows_s"]])
        r = bytes_to_input(self.real[inputs["rows_r"]])
        scalars, fake_r, fake_s = self.update_generators(s, r, inputs)
        if self.averages:
            for average, network in zip(self.averages, (self.networks.G, self.networks.F), strict=True):
                update_average(average, network, inputs["decay"])
        whole_r, whole_s = self.processes.gather(fake_r), self.processes.gather(fake_s)
        shown_r = self.pool_r.exchange(whole_r, inputs["place_r"], inputs["give_back_r"])
        shown_s = self.pool_s.exchange(whole_s, inputs["place_s"], inputs["give_back_s"])
        shown_r, shown_s = self.processes.share(shown_r), self.processes.share(shown_s)
        scalars |= self.update_discriminators(s, r, shown_s, shown_r, inputs)
        return {name: value.detach() for name, value in scalars.items()}

    def update_generators(self, s: Tensor, r: Tensor, inputs: Tensors) -> tuple[Tensors, Tensor, Tensor]:
        """One step of G and F; returns losses and the norm of the gradient, and G(s) and F(r)."""
        judge_r, judge_s = self.judges(inputs)
        with computing_in(self.precision, self.processes.device):
            terms, fake_r, fake_s = generator_losses(self.networks, s, r, judge_r, judge_s, self.params)
        for direction, translation, targets, rows in (
            (Direction.S2R, fake_r, self.targets_s, inputs["rows_s"]),
            (Direction.R2S, fake_s, self.targets_r, inputs["rows_r"]),
        ):
            wanted = {name: values[rows] for name, values in targets.items()}
            found = feature_losses(self.features, translation, wanted, self.params.weights)
            terms |= {f"{name}_{direction}": term for name, term in found.items()}
        loss = torch.stack([weight * value for weight, value in terms.values()]).sum()
        norm = self.descend(self.optimizers[0], self.generator_weights, loss)
        scalars = {f"loss/{name}": value for name, (_, value) in terms.items()}
        return scalars | {"gradient_norm/generators": norm}, fake_r.detach(), fake_s.detach()

    def update_discriminators(
        self, s: Tensor, r: Tensor, fake_s: Tensor, fake_r: Tensor, inputs: Tensors
    ) -> Tensors:
        """One step of both discriminators; returns losses, mean answers and the norm of the gradient."""
        kind, judge_r, judge_s = self.params.adversarial_loss, *self.judges(inputs)
        with computing_in(self.precision, self.processes.device):
            judged = {"D_R": (judge_r(r), judge_r(fake_r)), "D_S": (judge_s(s), judge_s(fake_s))}
        scalars: Tensors = {}
        for name, (true, fake) in judged.items():
            loss = losses.discriminator_loss(true, fake, kind, self.params.real_label)
            scalars |= {
                f"loss/{name}": loss,
                f"{name}/real": losses.judgement(true, kind),
                f"{name}/fake": losses.judgement(fake, kind),
            }
        loss = scalars["loss/D_R"] + scalars["loss/D_S"]
        norm = self.descend(self.optimizers[1], self.discriminator_weights, loss)
        return scalars | {"gradient_norm/discriminators": norm}

    def judges(self, inputs: Tensors) -> tuple[Judge, Judge]:
        """The discriminators of R and of S, which see pictures with the random changes of this step."""
        d_r, d_s = self.networks.D_R, self.networks.D_S
        if not self.params.discriminator_augmentation:
            return d_r, d_s
        return (lambda x: d_r(change(x, inputs["change_r"])), lambda x: d_s(change(x, inputs["change_s"])))

    def descend(self, optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], loss: Tensor) -> Tensor:
        """One optimiser step that changes these weights only; returns the norm of the gradient."""
        optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=weights)
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        self.processes.average(gradients)
        optimizer.step()
        return get_total_norm(gradients)

    def translators(self) -> Generators:
        """The generators to use: their moving average, if params ask for one."""
        return self.averages or Generators(self.networks.G, self.networks.F)

    def watch(self, number: int) -> dict[str, float]:
        scores = self.watch_generators(number, self.translators())
        score = scores.get(TASK_METRIC, math.inf)
        if self.params.keep == "best" and number and score < self.best_score:
            self.best_score = score
            self.best = copy.deepcopy(self._weights(self.translators()))
        return scores | {"learning_rate": self.learning_rate(number)}

    def collapses(self, row: dict[str, float]) -> dict[str, str]:
        return collapses(row, self.params.real_label)

    def ended_early(self, history: History) -> bool:
        return False

    def kept(self) -> Generators:
        """The generators to keep, in evaluation mode: the best ones if params say so and scores are known."""
        generators = self.translators()
        for name, weights in self.best.items():
            getattr(generators, name).load_state_dict(weights)
        return Generators(*(generator.eval() for generator in generators))

    def state(self) -> dict[str, Any]:
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.all().items()},
            "averages": self._weights(self.averages) if self.averages else {},
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "pools": [self.pool_r.pictures, self.pool_s.pictures],
            "precision": self.precision,
            "best_score": self.best_score,
            "best": self.best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        for name, network in self.networks.all().items():
            network.load_state_dict(state["networks"][name])
        for name, weights in state["averages"].items():
            getattr(self.averages, name).load_state_dict(weights)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"] = group["lr"].to(self.processes.device)
        self.pool_r.pictures.copy_(state["pools"][0])
        self.pool_s.pictures.copy_(state["pools"][1])
        self.precision = state["precision"]  # chosen on the machine where the training began
        self.best_score, self.best = state["best_score"], state["best"]

    @staticmethod
    def _weights(generators: Generators) -> dict[str, Any]:
        return {name: network.state_dict() for name, network in generators._asdict().items()}


def kept_scores(history: History, keep: str) -> dict[str, float]:
    """The row of scores of the generators that are kept."""
    if keep == "best" and TASK_METRIC in history[-1]:
        return min(history, key=lambda row: row[TASK_METRIC])
    return history[-1]
