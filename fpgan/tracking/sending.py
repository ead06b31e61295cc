"""Sends the events that wait for the store, of all runs of the project."""

from __future__ import annotations

from dataclasses import dataclass, field

from filelock import Timeout

from fpgan.errors import InputError, Unavailable
from fpgan.tracking.delivery import Delivery
from fpgan.tracking.journal import Journal, waiting_folder
from fpgan.tracking.store import StoreLost, store_name


@dataclass
class Sent:
    """The outcome of sending waiting events."""

    events: int = 0
    runs: int = 0
    notes: list[str] = field(default_factory=list)
    """One reason per journal that was left as it is."""
    lost: StoreLost | None = None
    """Why the store took no more."""

    def __str__(self) -> str:
        return f"{self.events} waiting events of {self.runs} runs have been sent to {store_name()}"


def send_waiting() -> Sent:
    """Sends the events that wait for the store in use, except those of runs that other processes write."""
    sent = Sent()
    journals = [Journal(path.stem) for path in waiting_folder().glob("*.jsonl")]
    for journal in sorted(journals, key=Journal.began):  # a pipeline's run before its stages, which name it
        delivery = Delivery(journal.id, quiet=True)
        try:
            delivery.journal.claim(blocking=False)
            sent.events += delivery.send()
            sent.runs += 1
        except Timeout:
            sent.notes.append(
                f"{journal.path}: its run continues in another process, which sends the events itself"
            )
        except InputError as error:
            sent.notes.append(f"{journal.path}: {error}; to give the events up, remove the file")
        except StoreLost as error:
            sent.lost = error
            break
        finally:
            delivery.close()
    return sent


def sync() -> str:
    """Sends waiting events; returns a sentence about them.

    Raises Unavailable when the store takes no more, and InputError when events wait for another reason.
    """
    sent = send_waiting()
    if sent.lost and sent.lost.unauthorized:
        raise sent.lost.explained()
    if sent.lost:
        left = sum(1 for _ in waiting_folder().glob("*.jsonl"))
        before = f"{sent}; then " if sent.runs else ""
        raise Unavailable(f"{before}{store_name()} does not answer ({sent.lost}); {left} runs still wait")
    if sent.notes:
        raise InputError("\n".join([str(sent), *sent.notes]))
    return str(sent) if sent.runs else "nothing waits"
