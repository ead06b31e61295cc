"""Compares the speed of a step of `train-gan` with that of a plain textbook step on the same networks.

    python benchmarks/train_gan.py
    python benchmarks/train_gan.py --filters 16 --blocks 4 --layers 3 --steps 20

The plain step is CycleGAN's as it is usually written: eager, fp32, a list of pictures as image pool. Both
alternate in one process, so that a busy machine slows both. For every batch size, without and with the
feature losses, it prints: pairs per second (median of the rounds), their ratio, FLOP per second and their
share of the machine's fastest matrix product, and peak memory.
"""

from __future__ import annotations

import argparse
import itertools
import random
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fpgan.data.eyes import LANDMARKS
from fpgan.device import default_device
from fpgan.networks.frozen import frozen
from fpgan.networks.gazenet import GAZE_ESTIMATORS, GazeNet
from fpgan.networks.hourglass import LandmarkNet
from fpgan.params import DiscriminatorParams, GANWeights, GeneratorParams, TrainGAN
from fpgan.training.distributed import Processes
from fpgan.training.gan import GANTraining, TrainingEyes
from fpgan.training.objective import Networks, build_networks
from fpgan.training.precision import choose_precision

EYES = 512
HEIGHT, WIDTH = 36, 60
MATMUL = 4096


class PlainTraining:
    """CycleGAN's textbook step."""

    def __init__(
        self,
        networks: Networks,
        eyes: TrainingEyes,
        gaze_net: GazeNet,
        landmark_net: LandmarkNet,
        params: TrainGAN,
    ) -> None:
        self.device = default_device()
        for network in (*networks.all().values(), gaze_net, landmark_net):
            network.to(self.device)
        self.networks, self.params = networks, params
        self.gaze_net, self.landmark_net = gaze_net, landmark_net
        self.synthetic, self.real = (
            torch.from_numpy(pictures).float()[:, None] / 127.5 - 1
            for pictures in (eyes.synthetic, eyes.real)
        )
        self.discriminators: list[nn.Module] = [networks.D_R, networks.D_S]
        adam = {"lr": params.learning_rate, "betas": (params.beta1, 0.999)}
        self.generator_optimizer = torch.optim.Adam(
            itertools.chain(networks.G.parameters(), networks.F.parameters()), **adam
        )
        self.discriminator_optimizer = torch.optim.Adam(
            itertools.chain(*(network.parameters() for network in self.discriminators)), **adam
        )
        self.pools: tuple[list[Tensor], list[Tensor]] = ([], [])

    def step(self, step: int) -> None:
        networks, weights, label = self.networks, self.params.weights, self.params.real_label
        s, r = (
            pictures[torch.randint(len(pictures), (self.params.batch_size,))].to(self.device)
            for pictures in (self.synthetic, self.real)
        )
        fake_r, fake_s = networks.G(s), networks.F(r)
        for network in self.discriminators:
            network.requires_grad_(False)
        loss = (networks.D_R(fake_r) - label).square().mean() + (networks.D_S(fake_s) - label).square().mean()
        loss = loss + weights.cycle_synthetic * (networks.F(fake_r) - s).abs().mean()
        loss = loss + weights.cycle_real * (networks.G(fake_s) - r).abs().mean()
        for source, translation in ((s, fake_r), (r, fake_s)):
            if weights.gaze:
                gaze = self.gaze_net
                loss = loss + weights.gaze * (gaze(translation) - gaze(source).detach()).square().mean()
            if weights.landmarks:
                find, size = self.landmark_net, torch.tensor([WIDTH, HEIGHT], device=self.device)
                moved = (find(translation) - find(source).detach()) / size
                loss = loss + weights.landmarks * moved.square().mean()
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.generator_optimizer.step()

        for network in self.discriminators:
            network.requires_grad_(True)
        self.discriminator_optimizer.zero_grad()
        for network, true, fake, pool in zip(
            self.discriminators, (r, s), (fake_r, fake_s), self.pools, strict=True
        ):
            shown = self.exchange(pool, fake.detach())
            against = ((network(true) - label).square().mean() + network(shown).square().mean()) / 2
            against.backward()
        self.discriminator_optimizer.step()

    def exchange(self, pool: list[Tensor], batch: Tensor) -> Tensor:
        shown = []
        for picture in batch:
            if len(pool) < self.params.pool_size:
                pool.append(picture)
                shown.append(picture)
            elif random.random() < 0.5:
                place = random.randrange(len(pool))
                shown.append(pool[place])
                pool[place] = picture
            else:
                shown.append(picture)
        return torch.stack(shown)


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds_per_step(step: Callable[[int], object], steps: int, first: int) -> float:
    synchronize()
    started = time.perf_counter()
    for i in range(first, first + steps):
        step(i)
    synchronize()
    return (time.perf_counter() - started) / steps


def peak_rate(dtype: torch.dtype) -> float:
    """FLOP/s of the fastest of several matrix products."""
    a = torch.randn(MATMUL, MATMUL, device=default_device()).to(dtype)
    fastest = min(seconds_per_step(lambda _: a @ a, 1, 0) for _ in range(5))
    return 2 * MATMUL**3 / fastest


def reset_peak_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    elif Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> float:
    """Peak memory in MiB since the last reset; except on Linux, since the start of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(batch_size: int, with_features: bool, arguments: argparse.Namespace, peak: float) -> str:
    params = TrainGAN(
        batch_size=batch_size,
        generator=GeneratorParams(filters=arguments.filters, residual_blocks=arguments.blocks),
        discriminator=DiscriminatorParams(filters=arguments.filters, layers=arguments.layers),
        weights=GANWeights(gaze=15, landmarks=15) if with_features else GANWeights(),
    )
    noise = np.random.default_rng(0)
    eyes = TrainingEyes(
        noise.integers(0, 256, (EYES, HEIGHT, WIDTH), dtype=np.uint8),
        noise.integers(0, 256, (EYES, HEIGHT, WIDTH), dtype=np.uint8),
        np.zeros((EYES, LANDMARKS, 2), np.float32),
    )
    gaze_net = GazeNet(network=arguments.gaze_net).eval().requires_grad_(False)
    landmark_net = LandmarkNet(modules=arguments.modules).eval().requires_grad_(False)
    processes = Processes(default_device())
    precision = choose_precision(arguments.precision, processes.device)
    ours = GANTraining(
        build_networks(params, channels=1, seed=0),
        eyes,
        {"gaze": frozen(gaze_net), "landmarks": frozen(landmark_net)},
        lambda step, generators: {},
        params,
        0,
        precision,
        processes.device.type == "cuda",
        processes,
    )
    plain = PlainTraining(build_networks(params, channels=1, seed=0), eyes, gaze_net, landmark_net, params)
    with FlopCounterMode(display=False) as counter:
        plain.step(0)
    flop = counter.get_total_flops()
    warm_up = 6  # in which the CUDA graph is captured
    for i in range(warm_up):
        ours.step(i)
    times: dict[str, list[float]] = {"plain": [], "ours": []}
    memory: dict[str, float] = {}
    for turn in range(arguments.rounds):
        for name, step in (("plain", plain.step), ("ours", ours.step)):
            reset_peak_memory()
            first = warm_up + turn * arguments.steps
            times[name].append(seconds_per_step(step, arguments.steps, first))
            memory[name] = peak_memory()
    ratios = [p / o for p, o in zip(times["plain"], times["ours"], strict=True)]
    plain_s, ours_s = (statistics.median(times[name]) for name in ("plain", "ours"))
    return (
        f"{batch_size:5d}  {'on ' if with_features else 'off'}      {precision}  "
        f"{batch_size / plain_s:9.1f}  {batch_size / ours_s:9.1f}  "
        f"{statistics.median(ratios):5.2f} ({min(ratios):.2f}-{max(ratios):.2f})  "
        f"{flop / batch_size / 1e9:8.2f}  {flop / ours_s / 1e12:7.3f}  {flop / ours_s / peak:6.1%}  "
        f"{memory['plain']:6.0f}  {memory['ours']:6.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--modules", type=int, default=3, help="hourglasses of the landmark network")
    parser.add_argument("--gaze-net", default="simgan", choices=list(GAZE_ESTIMATORS))
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--steps", type=int, default=2, help="steps per turn")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    peak = max(peak_rate(torch.float32), peak_rate(torch.bfloat16))
    print(f"{default_device()}, {torch.get_num_threads()} threads, fastest product {peak / 1e12:.2f} TFLOP/s")
    print("                            pairs/s                       GFLOP   ours:   share     peak MiB")
    print(
        "batch  features precision plain       ours  ratio            per pair TFLOP/s of peak  plain    ours"
    )
    for batch_size, with_features in itertools.product(arguments.batch_sizes, (False, True)):
        print(compare(batch_size, with_features, arguments, peak), flush=True)


if __name__ == "__main__":
    main()
