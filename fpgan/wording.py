"""Names as they are read."""

SHORT_ID, SHORT_COMMIT = 8, 7
"""Digits of an MLflow run's id and of a git commit that tell it from others."""


def spaced(name: str) -> str:
    """A name in words: no underscores, parts of a path after commas."""
    return name.replace("_", " ").replace("/", ", ")
