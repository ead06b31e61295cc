"""Nested dicts, as parameters and scores are."""

from typing import Any


def flatten(values: dict[str, Any], separator: str, prefix: str = "") -> dict[str, Any]:
    """A nested dict as one of a level, its keys joined by the separator."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, separator, f"{prefix}{key}{separator}")
        else:
            flat[prefix + key] = value
    return flat
