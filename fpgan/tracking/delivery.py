"""The way of a run's events to the store: directly while it answers, through a journal while it does not."""

from __future__ import annotations

import sys
import uuid

from fpgan.errors import InputError
from fpgan.tracking.journal import Event, Journal, Payload, now, waiting_folder
from fpgan.tracking.opening import open_stored
from fpgan.tracking.outage import known_outage, noting_outage
from fpgan.tracking.store import StoreLost, answering, store_name
from fpgan.tracking.stored_run import StoredRun, find_stored


class Delivery:
    """Delivers the events of one run in their order, each once.

    `run_id` names an existing run; without one the first event opens a run. Warnings about the store go to
    stderr unless `quiet`.
    """

    def __init__(self, run_id: str | None = None, *, quiet: bool = False) -> None:
        self.journal = Journal(run_id or uuid.uuid4().hex)
        self._stored: StoredRun | None = None
        self._quiet = quiet
        self._away = self._refused = False

    @property
    def id(self) -> str:
        """The run's id in the store, or one by which the store will know the run as well."""
        return self.journal.id

    def put(self, event: Event, payload: Payload = None) -> None:
        """Gives an event to the store, after those that wait; adds it to the journal when that fails.

        Raises InputError when the store refuses the event, and for the first event of a run also when the
        store refuses the credentials.
        """
        event = event | {"time": now()}
        try:
            if not self._refused and self._deliver(event, payload):
                return
        except StoreLost as error:
            if error.unauthorized and event["kind"] == "open":
                raise error.explained() from error
            self._stored = None  # the store may hold the event or not, so it is asked the next time
            if not self._away:
                self._say(
                    f"warning: the MLflow store {store_name()} does not answer ({error}); the work continues "
                    f"and logged values wait in {waiting_folder()}"
                )
            self._away = True
        self.journal.append(event | {"store": store_name(), "offline_id": self.id}, payload)

    def _deliver(self, event: Event, payload: Payload) -> bool:
        """Sends the waiting events and one more; False when the store refuses a waiting one."""
        if known := known_outage():
            raise known
        try:
            self.send()
        except InputError as error:
            self._say(f"warning: {error}")
            self._refused = True
            return False
        self._give(event, payload)
        if self._stored and self._stored.id != self.id:
            self.journal = Journal(self._stored.id)
        if self._away:
            self._say(f"the MLflow store {store_name()} answers again: all waiting events have been sent")
            self._away = False
        return True

    def send(self) -> int:
        """Sends the waiting events and removes them from the journal; returns their number.

        Interrupted anywhere and begun again, it logs nothing twice, as the store is asked for the values it
        holds. Raises StoreLost, and InputError when the store refuses an event or another store is meant; the
        events then stay.
        """
        if not self.journal.waits:
            return 0
        self.journal.claim()
        events = self.journal.events()
        if any("kind" not in event or "store" not in event for event in events):
            raise InputError(
                "an earlier version of fpgan wrote these events, and only that version can send them"
            )
        if events and (meant := events[0]["store"]) != store_name():
            raise InputError(f"{len(events)} events are for {meant}, MLFLOW_TRACKING_URI is {store_name()}")
        for event in events:
            self._give(event, self.journal.payload(event))
        self.journal.remove()
        self.journal.release()
        return len(events)

    def _give(self, event: Event, payload: Payload) -> None:
        with noting_outage():
            if event["kind"] == "open":
                self._stored = open_stored(event)
            else:
                self._stored = self._stored or self._find()
                self._stored.take(event, payload)

    def _find(self) -> StoredRun:
        with answering():
            found = find_stored(self.id)
        if found is None:
            raise InputError(f"{store_name()} holds no run {self.id}, to which the waiting events belong")
        return StoredRun(found.info.run_id, fresh=False)

    def close(self) -> None:
        """Lets other processes send the events that still wait."""
        self.journal.release()

    def _say(self, message: str) -> None:
        if not self._quiet:
            print(message, file=sys.stderr)
