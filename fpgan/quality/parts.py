"""Parts of an eye set that share no person."""

import numpy as np
from numpy.typing import NDArray


def person_parts(person: NDArray[np.str_], parts: int, seed: int) -> NDArray[np.int64]:
    """The part (N,), counted from 0, of the eyes of persons (N,); the parts are about equally large.

    Persons stay whole; where there are fewer than parts, some parts are empty. The eyes of a single person
    are dealt out at random.
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
