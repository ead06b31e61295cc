"""Samples of the machine's load during a run: processors, memory, disks, network and GPUs."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import psutil
from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor
from mlflow.system_metrics.metrics.rocm_monitor import ROCMMonitor

from fpgan.tracking.journal import now

SECONDS = 5  # between samples
PREFIX = "system/"  # MLflow's page shows these metrics on a tab of their own
ALWAYS = f"{PREFIX}cpu_utilization_percentage"  # a metric that every sample has

Sample = dict[str, Any]
"""Its `time` in milliseconds, and its `values` by name."""


class SystemMetrics:
    """Takes samples with MLflow's monitors, in a thread, from its creation until `stop`.

    The samples stay here until `take`. MLflow's own thread would log them itself, and end when the store does
    not answer.
    """

    def __init__(self) -> None:
        self._monitors = _monitors()
        self._samples: SimpleQueue[Sample] = SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="SystemMetrics", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        self._sample()  # rates are measured from one sample to the next
        while not self._stopped.wait(SECONDS):
            self._samples.put({"time": now(), "values": self._sample()})

    def _sample(self) -> dict[str, float]:
        values: dict[str, float] = {}
        for monitor in self._monitors:
            with suppress(psutil.Error, OSError):
                monitor.collect_metrics()
                values |= monitor.aggregate_metrics()
            monitor.clear_metrics()
        return {PREFIX + name: float(value) for name, value in values.items()}

    def take(self) -> list[Sample]:
        """The samples since the last call."""
        return [self._samples.get() for _ in range(self._samples.qsize())]

    def stop(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        self._thread.join()


def _monitors() -> list[BaseMetricsMonitor]:
    monitors: list[BaseMetricsMonitor] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    for of_gpus in (GPUMonitor, ROCMMonitor):
        with suppress(Exception):  # raised without GPUs of this kind, or the package that reads them
            monitors.append(of_gpus())
    return monitors
