"""Several processes that train together: each takes its share of every batch, and gradients are averaged.

Uses PyTorch's launcher and process groups. A process started by torchrun or SLURM reads its rank from the
environment; otherwise `launch` starts the processes on this machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from fpgan.device import default_device
from fpgan.errors import InputError

if TYPE_CHECKING:
    from fpgan.params import Compute

Batch = TypeVar("Batch", NDArray[Any], Tensor)

SLURM_PORT = 29_400


@dataclass(frozen=True)
class Processes:
    """This process, as one of those that train together."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process logs and saves."""
        return self.rank == 0

    def share(self, batch: Batch) -> Batch:
        """This process's rows (N / count, ...) of a whole batch (N, ...)."""
        size = len(batch) // self.count
        return batch[self.rank * size : (self.rank + 1) * size]

    def gather(self, share: Tensor) -> Tensor:
        """The whole batch (N, ...), from the shares (N / count, ...) of all processes."""
        if self.count == 1:
            return share
        parts = [torch.empty_like(share) for _ in range(self.count)]
        dist.all_gather(parts, share.contiguous())
        return torch.cat(parts)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replaces each tensor by its mean over all processes, in one exchange."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.count
        for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        if self.count == 1:
            return flag
        raised = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(raised)
        return bool(raised.item() > 0)

    def from_leader(self, value: Any) -> Any:
        """The leading process's value, in every process."""
        if self.count == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]


def must_launch(compute: Compute) -> bool:
    """Whether this process has to start others instead of training.

    Raises InputError when they would be on other machines, where it cannot start them, or when GPUs are
    missing.
    """
    gpus = torch.cuda.device_count()
    if compute.strategy == "nccl" and not gpus:
        raise InputError("compute.strategy: nccl needs GPUs, and this machine has none; use auto or gloo")
    if _place() is not None or compute.devices * compute.nodes == 1:
        return False
    if compute.nodes > 1:
        raise InputError(
            f"compute.nodes: start {compute.nodes} nodes with torchrun or SLURM, for example: torchrun "
            f"--nnodes={compute.nodes} --nproc-per-node={compute.devices} --rdzv-backend=c10d "
            "--rdzv-endpoint=HOST:PORT --no-python fpgan train-gan"
        )
    if 0 < gpus < compute.devices:
        raise InputError(f"compute.devices: {compute.devices} are requested, this machine has {gpus} GPUs")
    return True


def launch(compute: Compute) -> None:
    """Runs the current command in `compute.devices` processes; exits with the code of the first that fails.

    A signal is passed on to the processes, which have half a minute to write a checkpoint.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=compute.devices,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        run_id=uuid.uuid4().hex,
        max_restarts=0,  # a failed process would fail again, and a stopped one should stay stopped
    )
    # The CPUs are shared too: with one thread per CPU in every process, the processes would slow each other.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, torch.get_num_threads() // compute.devices)))
    try:
        elastic_launch(config, sys.executable)(*sys.argv)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        sys.exit(failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode)
    except SignalException as error:
        sys.exit(128 + error.sigval)


@contextmanager
def join(compute: Compute) -> Iterator[Processes]:
    """Joins this process with those started together with it, if any.

    Raises InputError when the number of started processes differs from `compute`.
    """
    place = _place()
    if place is None:
        yield Processes(default_device())
        return
    rank, count, local_rank = place
    if count != compute.devices * compute.nodes:
        raise InputError(
            f"compute: {compute.nodes} x {compute.devices} (nodes x devices) are requested, but {count} "
            "processes were started; make the numbers equal"
        )
    device = default_device()
    if device.type == "cuda":  # under SLURM a process may see only its own GPU
        device = torch.device("cuda", local_rank % torch.cuda.device_count())
        torch.cuda.set_device(device)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    automatic = "nccl" if device.type == "cuda" else "gloo"
    backend = automatic if compute.strategy == "auto" else compute.strategy
    dist.init_process_group(backend, rank=rank, world_size=count)
    try:
        yield Processes(device, rank, count)
    finally:
        dist.destroy_process_group()


def _end_with(parent: int) -> None:
    """Ends this process when its parent was killed; otherwise it would train on beside the next start."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _place() -> tuple[int, int, int] | None:
    """Rank, number of processes and rank on this machine, from the environment of torchrun or SLURM."""
    environment = os.environ
    if "TORCHELASTIC_RUN_ID" in environment:
        return tuple(int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))  # type: ignore[return-value]
    if int(environment.get("SLURM_STEP_NUM_TASKS", 1)) > 1:
        if "MASTER_ADDR" not in environment:
            hosts = subprocess.run(
                ["scontrol", "show", "hostnames", environment["SLURM_STEP_NODELIST"]],
                capture_output=True,
                text=True,
                check=True,
            )
            environment["MASTER_ADDR"] = hosts.stdout.split()[0]
        environment.setdefault("MASTER_PORT", str(SLURM_PORT))
        return tuple(int(environment[f"SLURM_{name}"]) for name in ("PROCID", "STEP_NUM_TASKS", "LOCALID"))  # type: ignore[return-value]
    return None
