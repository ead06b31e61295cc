"""How long a store that does not answer is left alone, by every process of this project.

A server that refuses connections costs no time; one that hangs costs the better part of a minute per attempt.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fpgan.errors import Unavailable
from fpgan.files.writing import replacing
from fpgan.layout import project_root
from fpgan.tracking.store import StoreLost, store_name

RETRY_SECONDS = 5
RETRY_PATIENCE = 30  # times the duration of the last attempt: attempts take a thirtieth of the time


def known_outage() -> StoreLost | None:
    """The reason of the last failed attempt; None when the store answered since, or may be asked again."""
    try:
        noted = json.loads(_file().read_text(encoding="utf-8"))
        lasts = noted["store"] == store_name() and time.time() < noted["until"]
        return StoreLost(OSError(noted["reason"])) if lasts else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def noting_outage() -> Iterator[None]:
    """For a block that asks the store once: notes that it does not answer, or that it does.

    Refused credentials are not noted, as they may be corrected at once.
    """
    began = time.monotonic()
    try:
        yield
    except StoreLost as error:
        if not error.unauthorized:
            _note(error, took=time.monotonic() - began)
        raise
    _file().unlink(missing_ok=True)


def _note(error: StoreLost, took: float) -> None:
    wait = max(RETRY_SECONDS, RETRY_PATIENCE * took)
    noted = {"store": store_name(), "reason": str(error), "until": time.time() + wait}
    # Without the note, on a full disk or when two processes write it at once, others only try once more.
    with suppress(OSError, Unavailable), replacing(_file()) as partial:
        partial.write_text(json.dumps(noted) + "\n", encoding="utf-8")


def _file() -> Path:
    return project_root() / ".fpgan" / "outage.json"
