"""Nested dicts, the form of parameters and scores."""

from typing import Any


def flatten(values: dict[str, Any], separator: str, prefix: str = "") -> dict[str, Any]:
    """A nested dict as a flat one, with keys joined by the separator."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, separator, f"{prefix}{key}{separator}")
        else:
            flat[prefix + key] = value
    return flat


def flat_numbers(values: dict[str, Any]) -> dict[str, float]:
    """The numbers in a nested dict, flat, with keys joined by slashes."""
    flat = flatten(values, "/")
    return {key: float(value) for key, value in flat.items() if isinstance(value, int | float)}
