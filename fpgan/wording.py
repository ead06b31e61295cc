"""Names as they are read."""


def spaced(name: str) -> str:
    """A name in words: no underscores, parts of a path after commas."""
    return name.replace("_", " ").replace("/", ", ")
