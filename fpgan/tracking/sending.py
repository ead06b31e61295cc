"""Sends what waited for the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import Timeout

from fpgan.errors import InputError, Unavailable
from fpgan.layout import project_root
from fpgan.tracking.journal import Journal
from fpgan.tracking.outage import forget_outage
from fpgan.tracking.store import (
    StoredRun,
    StoreLost,
    answering,
    find_stored,
    open_stored,
    store_name,
)


def waiting_folder() -> Path:
    """Where events wait for the store."""
    return project_root() / ".fpgan" / "offline"


def send(journal: Journal) -> StoredRun | None:
    """Gives all events of a journal to the store and forgets them; the run they went to, if there are any.

    Interrupted anywhere and begun again it logs nothing twice: the store is asked what it holds. Raises
    StoreLost, and InputError when the store refuses an event; the events then stay.
    """
    stored = None
    for event, payload in journal:
        if event["kind"] == "open":
            stored = open_stored(event, journal.id)
            continue
        if stored is None:
            with answering():
                found = find_stored(journal.id)
            if found is None:
                raise InputError(f"{store_name()} holds no run {journal.id}; {journal.path} is for that run")
            stored = StoredRun(found.info.run_id, fresh=False)
        stored.take(event, payload)
    journal.remove()
    return stored


@dataclass
class Sent:
    """What became of the events that waited."""

    events: int = 0
    runs: int = 0
    notes: list[str] = field(default_factory=list)
    """Why some still wait."""
    lost: StoreLost | None = None
    """Why the store took no more."""

    def __str__(self) -> str:
        return f"{self.events} events of {self.runs} runs that waited have been sent to {store_name()}"


def send_waiting() -> Sent:
    """Sends the events that wait for the store in use, but for those of runs that go on elsewhere."""
    sent = Sent()
    journals = [Journal(path.parent, path.stem) for path in waiting_folder().glob("*.jsonl")]
    for journal in sorted(journals, key=lambda journal: journal.began):  # a pipeline's before its stages'
        path = journal.path
        try:
            journal.lock.acquire(blocking=False)
        except Timeout:
            sent.notes.append(f"{path}: its run goes on in another process, which sends the events itself")
            continue
        try:
            count = len(journal)
            if count and journal.store != store_name():
                sent.notes.append(
                    f"{path}: {count} events are for {journal.store}, MLFLOW_TRACKING_URI is {store_name()}"
                )
                continue
            send(journal)
            forget_outage()
            sent.events, sent.runs = sent.events + count, sent.runs + 1
        except InputError as error:
            sent.notes.append(f"{path}: {error}; without the file its events are forgotten")
        except StoreLost as error:
            sent.lost = error
            break
        finally:
            journal.lock.release()
    return sent


def sync() -> str:
    """Sends what waits; returns what was sent, in words.

    Raises Unavailable when the store takes no more, and InputError when something else keeps events waiting.
    """
    sent = send_waiting()
    if sent.lost:
        check_credentials(sent.lost)
        left = sum(1 for _ in waiting_folder().glob("*.jsonl"))
        told = f"{sent}; then " if sent.runs else ""
        raise Unavailable(f"{told}{store_name()} does not answer ({sent.lost}); {left} runs still wait")
    if sent.notes:
        raise InputError("\n".join([str(sent), *sent.notes]))
    return str(sent) if sent.runs else "nothing waits"


def check_credentials(error: StoreLost) -> None:
    """Raises InputError where the store would answer with the right ones."""
    if error.unauthorized:
        raise InputError(
            f"the MLflow store {store_name()} refuses the credentials ({error}); give them in "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or in MLFLOW_TRACKING_TOKEN"
        )


@contextmanager
def reachable() -> Iterator[None]:
    """Makes MLflow use the store in the block; raises Unavailable when it does not answer."""
    try:
        with answering():
            yield
    except StoreLost as error:
        check_credentials(error)
        raise Unavailable(f"the MLflow store {store_name()} does not answer: {error}") from error
