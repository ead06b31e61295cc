"""Trains FP-GAN: two generators, G: S -> R and F: R -> S, and a discriminator for each domain.

CycleGAN (Zhu et al., ICCV 2017) with least-squares losses; frozen feature networks make a translation
keep the gaze and the landmarks of its source (FP-GAN; gaze after Lee, Kim, Suh, ICLR 2018).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from fpgan import losses
from fpgan.networks.discriminator import Discriminator
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.pictures import bytes_to_input, pictures_to_bytes
from fpgan.training.batches import batch_rows
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.estimator import History
from fpgan.training.pool import ImagePool
from fpgan.training.recorder import Recorder

if TYPE_CHECKING:
    from fpgan.params import TrainGAN


@dataclass(frozen=True)
class Networks:
    """The four networks that are trained, under the names of the CycleGAN paper."""

    G: Generator
    """S -> R"""
    F: Generator
    """R -> S"""
    D_R: Discriminator
    D_S: Discriminator

    def all(self) -> dict[str, nn.Module]:
        return {"G": self.G, "F": self.F, "D_R": self.D_R, "D_S": self.D_S}


def build_networks(params: TrainGAN, channels: int) -> Networks:
    """The networks with their initial weights, a pure function of the seed."""
    torch.manual_seed(params.seed)
    generator = (channels, params.generator.filters, params.generator.residual_blocks)
    discriminator = (channels, params.discriminator.filters, params.discriminator.layers)
    return Networks(
        Generator(*generator),
        Generator(*generator),
        Discriminator(*discriminator),
        Discriminator(*discriminator),
    )


def train_gan(
    networks: Networks,
    *,
    synthetic: NDArray[np.uint8],  # training pictures (N, H, W) or (N, H, W, 3)
    real: NDArray[np.uint8],
    gaze_net: GazeNet,
    landmark_net: LandmarkNet,
    watch: Callable[[int], dict[str, float]],  # at step 0 and every tick: scores of G and F
    params: TrainGAN,
    checkpoints: Checkpoints,
    recorder: Recorder,
    device: torch.device,
) -> History:
    """Trains the networks in place and returns a row of scores a tick.

    Goes on from the newest checkpoint. Raises FloatingPointError when a loss is no longer finite; the
    checkpoints stay.
    """
    for network in networks.all().values():
        network.to(device).train()
    for frozen in (gaze_net, landmark_net):
        frozen.to(device).eval().requires_grad_(False)
    data_s, data_r = (pictures_to_bytes(pictures).to(device) for pictures in (synthetic, real))

    generators = [*networks.G.parameters(), *networks.F.parameters()]
    discriminators = [*networks.D_R.parameters(), *networks.D_S.parameters()]
    optimizers = [
        torch.optim.Adam(weights, lr=params.learning_rate, betas=(params.beta1, 0.999), fused=True)
        for weights in (generators, discriminators)
    ]
    generator_optimizer, discriminator_optimizer = optimizers
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(o, lambda step: constant_then_linear(step, params.steps))
        for o in optimizers
    ]
    pool_r, pool_s = ImagePool(params.pool_size, params.seed), ImagePool(params.pool_size, params.seed + 1)
    history: History = []
    first_step = 0
    if state := checkpoints.latest():
        for name, network in networks.all().items():
            network.load_state_dict(state["networks"][name])
        for optimizer, schedule, saved in zip(optimizers, schedules, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved["optimizer"])
            schedule.load_state_dict(saved["schedule"])
        pool_r.restore(state["pools"][0], device)
        pool_s.restore(state["pools"][1], device)
        history, first_step = state["history"], state["step"]

    def current_state() -> dict[str, Any]:
        return {
            "networks": {name: network.state_dict() for name, network in networks.all().items()},
            "optimizers": [
                {"optimizer": o.state_dict(), "schedule": s.state_dict()}
                for o, s in zip(optimizers, schedules, strict=True)
            ],
            "pools": [pool_r.state(), pool_s.state()],
            "history": history,
        }

    if first_step == 0:
        recorder.metrics(0, watch(0))
    summed: dict[str, Tensor] = {}
    since, tick_start = first_step, time.perf_counter()
    with tqdm(total=params.steps, initial=first_step, unit="step", disable=None) as progress:
        for step in range(first_step, params.steps):
            rows_s = batch_rows(step, params.batch_size, len(data_s), params.seed)
            rows_r = batch_rows(step, params.batch_size, len(data_r), params.seed + 1)
            s = bytes_to_input(data_s[torch.from_numpy(rows_s).to(device)])
            r = bytes_to_input(data_r[torch.from_numpy(rows_r).to(device)])

            for weights in discriminators:
                weights.requires_grad_(False)
            terms, fake_r, fake_s = generator_losses(networks, s, r, gaze_net, landmark_net, params)
            generator_optimizer.zero_grad(set_to_none=True)
            torch.stack([weight * value for weight, value in terms.values()]).sum().backward()
            generator_optimizer.step()

            for weights in discriminators:
                weights.requires_grad_(True)
            judged = {
                "D_R": (networks.D_R(r), networks.D_R(pool_r.exchange(fake_r.detach()))),
                "D_S": (networks.D_S(s), networks.D_S(pool_s.exchange(fake_s.detach()))),
            }
            against = {
                name: losses.discriminator_loss(true, fake, params.real_label)
                for name, (true, fake) in judged.items()
            }
            discriminator_optimizer.zero_grad(set_to_none=True)
            (against["D_R"] + against["D_S"]).backward()
            discriminator_optimizer.step()
            for schedule in schedules:
                schedule.step()

            scalars = {f"loss/{name}": value for name, (_, value) in terms.items()}
            scalars |= {f"loss/{name}": value for name, value in against.items()}
            for name, (true, fake) in judged.items():
                scalars |= {f"{name}/real": true.mean(), f"{name}/fake": fake.mean()}
            for name, value in scalars.items():
                summed[name] = summed.get(name, torch.zeros((), device=device)) + value.detach()
            progress.update()

            done = step + 1
            last = done == params.steps
            if done % params.tick == 0 or last:
                row = {name: value.item() / (done - since) for name, value in summed.items()}
                wrong = [name for name, value in row.items() if not math.isfinite(value)]
                if wrong:
                    raise FloatingPointError(
                        f"{', '.join(wrong)} no longer finite at step {done}; training stopped"
                    )
                row["learning_rate"] = float(schedules[0].get_last_lr()[0])
                row |= watch(done)
                seconds = time.perf_counter() - tick_start
                rate = (done - since) * params.batch_size / seconds
                recorder.metrics(done, row | {"pairs_per_second": rate})
                history.append({"step": done, **row})
                progress.write(status_line(done, params.steps, rate, params.batch_size, row))
                summed, since, tick_start = {}, done, time.perf_counter()
            # Checkpoints fall on ticks, so that no sum has to be carried over.
            if since == done and (done % params.checkpoint_every < params.tick or last):
                checkpoints.save(done, current_state())
    for network in networks.all().values():
        network.eval()
    return history


def generator_losses(
    networks: Networks, s: Tensor, r: Tensor, gaze_net: GazeNet, landmark_net: LandmarkNet, params: TrainGAN
) -> tuple[dict[str, tuple[float, Tensor]], Tensor, Tensor]:
    """The generators' loss terms, name: (weight, value), and the translations G(s) and F(r).

    Terms whose weight is 0 are left out and cost nothing.
    """
    weights, (height, width) = params.weights, s.shape[2:]
    fake_r, fake_s = networks.G(s), networks.F(r)
    terms: dict[str, tuple[float, Tensor]] = {
        "G": (1, losses.adversarial_loss(networks.D_R(fake_r), params.real_label)),
        "F": (1, losses.adversarial_loss(networks.D_S(fake_s), params.real_label)),
    }
    if weights.cycle_synthetic:
        terms["cycle_synthetic"] = (weights.cycle_synthetic, losses.cycle_loss(s, networks.F(fake_r)))
    if weights.cycle_real:
        terms["cycle_real"] = (weights.cycle_real, losses.cycle_loss(r, networks.G(fake_s)))
    if weights.identity:
        terms["identity_G"] = (weights.identity, losses.identity_loss(r, networks.G(r)))
        terms["identity_F"] = (weights.identity, losses.identity_loss(s, networks.F(s)))
    for direction, source, translation in (("s2r", s, fake_r), ("r2s", r, fake_s)):
        if weights.self_regularization:
            terms[f"self_regularization_{direction}"] = (
                weights.self_regularization,
                losses.self_regularization_loss(source, translation),
            )
        if weights.gaze:
            with torch.no_grad():
                true_gaze = gaze_net(source)
            terms[f"gaze_{direction}"] = (weights.gaze, losses.gaze_loss(true_gaze, gaze_net(translation)))
        if weights.landmarks:
            with torch.no_grad():
                true_landmarks = landmark_net(source)
            terms[f"landmarks_{direction}"] = (
                weights.landmarks,
                losses.landmark_loss(true_landmarks, landmark_net(translation), height, width),
            )
    return terms, fake_r, fake_s


def constant_then_linear(step: int, steps: int) -> float:
    """CycleGAN's learning-rate factor: 1 for the first half of the steps, then linear to 0."""
    half = steps / 2
    return 1.0 if step < half else max(0.0, (steps - step) / (steps - half))


def status_line(step: int, steps: int, rate: float, batch_size: int, row: dict[str, float]) -> str:
    """One line for the console: where the training is and how its losses stand."""
    left = (steps - step) * batch_size / rate
    shown = "  ".join(
        f"{name.removeprefix('loss/')} {value:.3f}" for name, value in row.items() if "loss/" in name
    )
    return f"step {step}/{steps}  {left / 60:.1f} min left  {rate:.1f} pairs/s  {shown}"
