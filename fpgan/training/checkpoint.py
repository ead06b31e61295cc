"""Checkpoints, each written completely or not at all. A training resumes from the newest readable one."""

import shutil
import sys
from pathlib import Path
from typing import Any

from fpgan.files.writing import replacing

KEPT = 2


class Checkpoints:
    """The checkpoints of one training, in its own folder.

    A state consists of tensors, numbers, strings, lists and dicts, so that it loads without pickled code.
    PyTorch is imported on first use, as stages that train nothing have a folder of checkpoints too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"))

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Writes a checkpoint atomically and removes all but the last two.

        Raises Unavailable when there is no room for it; earlier checkpoints stay.
        """
        import torch

        previous = self._files()[-1:]
        size = previous[0].stat().st_size if previous else None
        with replacing(self.folder / f"step-{step:09d}.pt", size) as partial, partial.open("wb") as file:
            torch.save({"step": step, **state}, file)
        for old in self._files()[:-KEPT]:
            old.unlink()

    def latest(self) -> dict[str, Any] | None:
        """The newest readable checkpoint, with its `step`; None if there is none."""
        import torch

        for path in reversed(self._files()):
            try:
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return state
            except Exception as error:  # reading a damaged file can raise any exception
                print(f"{path}: unreadable, the checkpoint before it is used ({error})", file=sys.stderr)
        return None

    def clear(self) -> None:
        """Removes the checkpoints of a training that has ended, and their folder with all other files.

        Checkpoints are removed from the oldest to the newest, before the note of their run.
        """
        for path in self._files():
            path.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
