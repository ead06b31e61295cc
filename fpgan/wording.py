"""Names and numbers as texts show them."""

SHORT_ID, SHORT_COMMIT = 8, 7
"""Digits that identify an MLflow run's id and a git commit."""


def spaced(name: str) -> str:
    """A name in words: spaces for underscores, commas between the parts of a path."""
    return name.replace("_", " ").replace("/", ", ")


def with_spread(mean: float, spread: float | None) -> str:
    """A mean and its standard deviation over seeds, if known, such as "3.74 ± 0.14"."""
    return f"{mean:.2f}" + ("" if spread is None else f" \N{PLUS-MINUS SIGN} {spread:.2f}")
