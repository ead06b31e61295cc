"""Splits an eye set into parts that share no person."""

import numpy as np
from numpy.typing import NDArray


def person_parts(person: NDArray[np.str_], parts: int, seed: int) -> NDArray[np.int64]:
    """The part (N,), counted from 0, of each eye, for the eyes' persons (N,); parts are about equally large.

    All eyes of a person are in one part, so some parts are empty if there are fewer persons than parts. The
    eyes of a single person are distributed at random.
    """
    names, member, counts = np.unique(person, return_inverse=True, return_counts=True)
    if len(names) == 1:
        return np.random.default_rng(seed).permutation(len(person)) % parts
    part_of = np.zeros(len(names), np.int64)
    sizes = np.zeros(parts, np.int64)
    for name in np.argsort(-counts, kind="stable"):
        part_of[name] = sizes.argmin()
        sizes[part_of[name]] += counts[name]
    return part_of[member]
