"""Writes an eye set in a format that other programs read."""

from pathlib import Path

from fpgan.datasets.folder import Pictures, write_folder
from fpgan.errors import InputError
from fpgan.stages.progress import progress_bar


def export_eyes(source: Path, output: Path, pictures: Pictures) -> str:
    """Writes the eyes of an HDF5 set into a new folder; returns what it wrote, in words."""
    if source.suffix == ".safetensors":
        raise InputError(
            f"{source}: is a model, not an eye set; --format onnx, pt2 or safetensors writes models"
        )
    with progress_bar("eye") as advance:
        count = write_folder(source, output, pictures=pictures, progress=advance)
    return f"{output}: {count} eyes, N.{pictures} and N.json"
