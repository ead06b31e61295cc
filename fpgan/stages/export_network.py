"""Writes a trained network in a format that other programs read."""

from pathlib import Path

from fpgan.deployment.formats import Format, write_network
from fpgan.params import EyePicture


def export_network(source: Path, output: Path, form: Format, picture: EyePicture) -> str:
    """Writes a network for pictures as described into a new file; returns what it wrote, in words."""
    write_network(source, output, form, picture.shape)
    size = output.stat().st_size / 1e6
    return f"{output}: {size:.1f} MB, for eyes of {picture.width} x {picture.height} pixels"
