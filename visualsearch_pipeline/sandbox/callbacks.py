"""Webhooks: sent once each, late, several times, in the wrong order or never, as configured (contract §4, §9.60)."""

import json
import threading
import time
from datetime import UTC, datetime

import httpx
from sqlalchemy import select, update

from visualsearch_pipeline.sandbox.clock import Clock
from visualsearch_pipeline.sandbox.control.models import SentCallback
from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.database import Database, insert_row

_CALLBACK = tables.callbacks.c
_TIMEOUT_SECONDS = 5.0
_GATHER_SECONDS = 0.2


class Callbacks:
    """An outbox in the database and one thread that empties it. An answer other than 2xx is not tried again."""

    def __init__(
        self, database: Database, *, clock: Clock, delay_seconds: float, copies: int, is_reversed: bool
    ) -> None:
        self._database = database
        self._clock = clock
        self._delay_seconds = delay_seconds
        self._copies = copies
        self._is_reversed = is_reversed
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-callbacks", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what was not sent stays in the outbox for the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def post(self, url: str, payload: dict[str, object]) -> None:
        """Put a callback into the outbox, as many times as configured."""
        due_ms = time.time_ns() // 1_000_000 + round(self._delay_seconds * 1000)
        for _ in range(self._copies):
            with self._database.write() as connection:
                values = {"due_ms": due_ms, "url": url, "payload": json.dumps(payload)}
                insert_row(connection, tables.callbacks, values)
        self._wake.set()

    def sent(self) -> list[SentCallback]:
        """All callbacks, those still waiting included."""
        with self._database.read() as connection:
            rows = connection.execute(select(tables.callbacks).order_by(_CALLBACK.callback_id)).mappings()
            return [
                SentCallback(
                    url=row["url"],
                    payload=json.loads(row["payload"]),
                    sent_at=None
                    if row["sent_at_ms"] is None
                    else datetime.fromtimestamp(row["sent_at_ms"] / 1000, UTC),
                    answer_status=row["answer_status"],
                    failure=row["failure"],
                )
                for row in rows
            ]

    def _run(self) -> None:
        with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            while not self._stopping.is_set():
                self._wake.wait(_GATHER_SECONDS)
                self._wake.clear()
                if self._is_reversed:
                    # To be sent in the wrong order, several must have come together.
                    self._stopping.wait(_GATHER_SECONDS)
                self._send_due(client)

    def _send_due(self, client: httpx.Client) -> None:
        order = _CALLBACK.callback_id.desc() if self._is_reversed else _CALLBACK.callback_id
        due = (_CALLBACK.sent_at_ms.is_(None), _CALLBACK.due_ms <= time.time_ns() // 1_000_000)
        with self._database.read() as connection:
            rows = connection.execute(select(tables.callbacks).where(*due).order_by(order)).mappings().all()
        for row in rows:
            if self._stopping.is_set():
                return
            status, failure = None, None
            try:
                answer = client.post(row["url"], content=row["payload"], headers={"Content-Type": "application/json"})
                status = answer.status_code
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                failure = f"{type(error).__name__}: {error}"
            with self._database.write() as connection:
                connection.execute(
                    update(tables.callbacks)
                    .where(_CALLBACK.callback_id == row["callback_id"])
                    .values(sent_at_ms=self._clock.now_ms(), answer_status=status, failure=failure)
                )
