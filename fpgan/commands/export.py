"""The command that writes an eye set or a trained network in a format for other programs."""

from pathlib import Path

from fpgan.deployment.export_formats import NetworkFormat, Pictures
from fpgan.deployment.eye_folder import write_folder
from fpgan.deployment.formats import write_network
from fpgan.errors import InputError
from fpgan.params import EyePicture
from fpgan.progress import progress_bar


def export_eyes(source: Path, output: Path, pictures: Pictures) -> str:
    """Writes the eyes of an HDF5 set into a new folder; returns a sentence about the files."""
    if source.suffix == ".safetensors":
        raise InputError(
            f"{source}: is a model, not an eye set; --format onnx, pt2 or safetensors writes models"
        )
    with progress_bar("eye") as advance:
        count = write_folder(source, output, pictures=pictures, progress=advance)
    return f"{output}: {count} eyes, N.{pictures} and N.json"


def export_network(source: Path, output: Path, form: NetworkFormat, picture: EyePicture) -> str:
    """Writes a network for pictures of a shape into a new file; returns a sentence about the file."""
    write_network(source, output, form, picture.shape)
    size = output.stat().st_size / 1e6
    return f"{output}: {size:.1f} MB, for eyes of {picture}"
