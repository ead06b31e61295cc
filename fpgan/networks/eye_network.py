"""The base of the networks that are saved, loaded and deployed."""

from collections.abc import Mapping
from typing import ClassVar, TypeVar

from torch import nn

from fpgan.errors import InputError

Entry = TypeVar("Entry")


class EyeNetwork(nn.Module):
    """A network that takes eye pictures (N, C, H, W) in [-1, 1]."""

    answer: ClassVar[str]
    """Name of the output, such as 'gaze'; its first axis is N."""
    answers_pictures: ClassVar[bool] = False
    """Whether the output is pictures of the input's shape and range."""


def find_architecture(table: Mapping[str, Entry], name: str, kind: str) -> Entry:
    """The entry of this name; raises InputError with the known names when there is none."""
    if name not in table:
        raise InputError(f"no {kind} is called '{name}'; known: {', '.join(table)}")
    return table[name]
