"""Checkpoints a training goes on from: written whole or not at all, the newest readable one is used."""

import shutil
import sys
from pathlib import Path
from typing import Any

from fpgan.files.writing import replacing

KEPT = 2


class Checkpoints:
    """The checkpoints of one training, in a folder of its own.

    A state is made of tensors, numbers, strings, lists and dicts, so that it loads without pickled code.
    PyTorch is imported when it is needed: stages that train nothing have a folder of checkpoints too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"))

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Writes a checkpoint atomically and forgets all but the last two.

        Raises Unavailable when there is no room for it; those before it stay.
        """
        import torch

        former = self._files()[-1:]
        size = former[0].stat().st_size if former else None
        with replacing(self.folder / f"step-{step:09d}.pt", size) as partial, partial.open("wb") as file:
            torch.save({"step": step, **state}, file)
        for old in self._files()[:-KEPT]:
            old.unlink()

    def latest(self) -> dict[str, Any] | None:
        """The newest checkpoint that can be read, with its `step`; None when there is none."""
        import torch

        for path in reversed(self._files()):
            try:
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return state
            except Exception as error:  # a damaged file can fail anywhere in the reader
                print(f"{path}: unreadable, the checkpoint before it is used ({error})", file=sys.stderr)
        return None

    def clear(self) -> None:
        """Removes the checkpoints of a training that has ended, and what else is in their folder.

        The newest goes last, but for what says to which run they belong.
        """
        for path in self._files():
            path.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
