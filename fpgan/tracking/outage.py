"""How long a store that was found away is left alone, by every process of this project.

A server that refuses costs no time; one that hangs costs the better part of a minute each time it is tried.
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

RETRY_SECONDS = 30
RETRY_PATIENCE = 30  # times what the last try took: a store that is away costs a thirtieth of the time


def known_outage() -> StoreLost | None:
    """Why the store was away when it was last tried; None when it is time to try it, or it was there."""
    try:
        noted = json.loads(_file().read_text(encoding="utf-8"))
        known = noted["store"] == store_name() and time.time() < noted["until"]
        return StoreLost(OSError(noted["reason"])) if known else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def note_outage(error: StoreLost, took: float) -> float:
    """Notes that a try that took so many seconds found the store away; returns the seconds to the next."""
    wait = max(RETRY_SECONDS, RETRY_PATIENCE * took)
    if wait > RETRY_SECONDS:
        noted = {"store": store_name(), "reason": str(error), "until": time.time() + wait}
        # Not noted on a full disk, or by one of two processes at once, it costs others a try.
        with suppress(OSError, Unavailable), replacing(_file()) as partial:
            partial.write_text(json.dumps(noted) + "\n", encoding="utf-8")
    return wait


def forget_outage() -> None:
    """Notes that the store is there."""
    _file().unlink(missing_ok=True)


@contextmanager
def noting_outage() -> Iterator[None]:
    """For a block that uses the store; raises StoreLost at once where it is known to be away."""
    if known := known_outage():
        raise known
    began = time.monotonic()
    try:
        yield
    except StoreLost as error:
        note_outage(error, time.monotonic() - began)
        raise


def _file() -> Path:
    return project_root() / ".fpgan" / "outage.json"
