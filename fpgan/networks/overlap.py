"""Work that overlaps: iterators whose next items are made by threads while earlier ones are used."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # items that wait; more hold memory and gain nothing
_END = object()


def ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The items, made by a thread of their own, at most AHEAD of them before they are asked for.

    What making them raises is raised here. When this iterator is closed, the thread has ended.
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
    """The function's results in the order of the items, by several threads, at most AHEAD a thread waiting.

    What the function raises is raised here, in its turn. When this iterator is closed, the threads have
    ended.
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
