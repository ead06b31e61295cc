"""A function over many chunks of work, in several processes, results in order, memory bounded."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

import cv2

Work = TypeVar("Work")
Result = TypeVar("Result")


def map_in_order(function: Callable[[Work], Result], work: Iterable[Work], workers: int) -> Iterator[Result]:
    """Results of a picklable function, in the order of the work.

    At most two pieces of work a worker are under way, so neither work nor results pile up. One worker is
    this process itself; a script that wants more must guard its entry by `if __name__ == "__main__"`.
    """
    if workers <= 1:
        yield from map(function, work)
        return
    # The parent may run threads (MLflow's, PyTorch's), which a forked child would find half-way.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin_work)
    under_way: deque[Future[Result]] = deque()
    try:
        for piece in work:
            under_way.append(pool.submit(function, piece))
            if len(under_way) == 2 * workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def available_cpus() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin_work() -> None:
    cv2.setNumThreads(0)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this worker when its parent was killed; nothing else would: it waits for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
