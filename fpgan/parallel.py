"""Work in several processes or threads, with results in order and bounded memory.

joblib's generators would be shorter, but they run ahead of a slow consumer without limit, and their workers
outlive a killed parent.
"""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import cv2

Work = TypeVar("Work")
Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # items kept ready; more take memory without gaining speed
_END = object()


def map_in_order(
    function: Callable[[Work], Result], work: Iterable[Work], workers: int
) -> Generator[Result, None, None]:
    """Results of a picklable function, in the order of the work.

    This process is one of the workers, and works alone until the others have started, so that a small job
    does not wait for them. Each worker has at most four pieces of work under way, so that neither work nor
    results pile up. A script that uses several workers must guard its entry by `if __name__ == "__main__"`.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(
        0
    )  # one thread per process; OpenCV's threads would also stay alive and break later forks
    try:
        yield from _share(function, work, workers - 1) if workers > 1 else map(function, work)
    finally:
        cv2.setNumThreads(threads)


def _share(function: Callable[[Work], Result], work: Iterable[Work], others: int) -> Iterator[Result]:
    # A forked child would inherit the parent's threads (MLflow's, PyTorch's) in the middle of their work.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(others, context, initializer=_begin_work)
    results: deque[Future[Result]] = deque()
    try:
        started = [pool.submit(os.getpid) for _ in range(others)]
        for piece in work:
            while len(results) >= 4 * (others + 1) or (results and results[0].done()):
                yield results.popleft().result()
            under_way = sum(not result.done() for result in results)
            if under_way < 2 * others and all(start.done() for start in started):
                results.append(pool.submit(function, piece))
            else:
                results.append(_finished(function(piece)))
        while results:
            yield results.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _finished(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def available_cpus() -> int:
    """Number of CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin_work() -> None:
    cv2.setNumThreads(0)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this worker when its parent is killed; otherwise it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The items, produced by a separate thread, up to AHEAD of them in advance.

    Exceptions of the producing thread are raised here. Closing this iterator ends the thread.
    """
    iterator = iter(items)
    pool = ThreadPoolExecutor(1)
    try:
        waiting = deque(pool.submit(next, iterator, _END) for _ in range(AHEAD))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, iterator, _END))
            yield item  # type: ignore[misc]
    finally:
        pool.shutdown(cancel_futures=True)


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Generator[Result, None, None]:
    """The function's results in the order of the items, computed by several threads, up to AHEAD per thread
    in advance.

    Exceptions of the function are raised here, in order. Closing this iterator ends the threads.
    """
    iterator = iter(items)
    pool = ThreadPoolExecutor(threads)
    try:
        waiting: deque[Future[Result]] = deque()
        for item in islice(iterator, AHEAD * threads):
            waiting.append(pool.submit(function, item))
        while waiting:
            result = waiting.popleft().result()
            for item in islice(iterator, 1):
                waiting.append(pool.submit(function, item))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
