"""The formats that eye sets and networks are exported in."""

from typing import Literal

NetworkFormat = Literal["onnx", "pt2", "safetensors"]
Format = Literal["folder", NetworkFormat]
"""folder: an eye set as pictures and JSON files; the others: a network."""
Pictures = Literal["png", "jpg"]
"""Picture files in a folder; PNG keeps every value, JPEG does not."""
