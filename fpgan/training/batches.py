"""The rows of each batch: a pure function of seed and step, so that a checkpoint need not hold the order."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def batch_rows(step: int, batch_size: int, count: int, seed: int) -> NDArray[np.int64]:
    """The rows (batch_size,) of batch `step`, counted from 0, out of `count`; each epoch has a new order.

    A batch may extend into the next epoch, so that all batches have the same size and no row is left out.
    """
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    rows = np.empty(batch_size, np.int64)
    for epoch in np.unique(positions // count):
        here = positions // count == epoch
        rows[here] = _order(int(epoch), count, seed)[positions[here] % count]
    return rows


@lru_cache(maxsize=4)
def _order(epoch: int, count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)
