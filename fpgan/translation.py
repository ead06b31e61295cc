"""A trained generator over an eye set."""

from pathlib import Path

from fpgan.eyes import Eyes, load_eyes, save_eyes
from fpgan.networks.generator import Generator
from fpgan.networks.inference import translate_pictures


def translate_eye_set(generator: Generator, source: Path, output: Path, batch_size: int) -> tuple[Eyes, Eyes]:
    """Translates every eye of a prepared set into a new set with the same labels, rows and order.

    The generator sees equalised pictures, and its own are stored as they are: the new set is marked
    equalised. Returns the eyes before and after; raises InputError as `load_eyes` does.
    """
    eyes = load_eyes(source)
    translated = eyes.with_images(translate_pictures(generator, eyes.image, batch_size))
    save_eyes(output, translated, equalized=True)
    return eyes, translated
