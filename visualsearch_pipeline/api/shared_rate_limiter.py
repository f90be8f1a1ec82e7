"""One rate limit per account over all threads and processes of this machine.

The sliding-window log is pyrate-limiter's, in an SQLite file. The file's own write lock makes "count, then take a
place" one step; the operating system takes it back from a process that dies, so that nobody is blocked.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias, cast

import pyrate_limiter

from visualsearch_pipeline.api.operations import OperationFamily
from visualsearch_pipeline.api.rate_limits import Rate, RateLimits

logger = logging.getLogger(__name__)

OnWait: TypeAlias = Callable[[OperationFamily, float], None]
"""Receives how many seconds a request of this family has still to wait, every five seconds while it does. What it
raises ends the wait: that is how a run that is cancelled gives up its turn."""

_LOCK_TIMEOUT_SECONDS: Final = 60.0
_MARGIN_SHARE: Final = 0.01
_MAX_MARGIN_SECONDS: Final = 0.25
_REPORT_SECONDS: Final = 5.0
_FIRST_PAUSE_SECONDS: Final = 1.0
_MAX_BACKOFF_SECONDS: Final = 32.0
_MAX_PAUSE_SECONDS: Final = 300.0
"""A longer pause is not believed: a strange `Retry-After`, or a clock that was set back."""

_NOTABLE_DELAY_MILLISECONDS: Final = 3
"""Between taking a place and leaving; the margin covers less."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS pause (
    bucket TEXT PRIMARY KEY,
    until_milliseconds INTEGER NOT NULL,
    refusals INTEGER NOT NULL
)
"""


@dataclass(frozen=True)
class _Place:
    """An entry of the log."""

    name: str
    taken_milliseconds: int


class SharedRateLimiter:
    """A `RateLimiter` whose state is a file that all processes of one account share.

    A rate-limit answer makes everybody pause: 1, 2, 4 … 32 s while refusals go on (contract §1.5), or as long as the
    service asked. The first answer that is none ends it.

    Args:
        path: The SQLite file; made with its folder if missing. On a local disk: network file systems lock badly.
        limits: Rates per operation family.
        account: Whose limits these are, see `account_id`; never the key itself.
        on_wait: Is told about waits, at their beginning and every five seconds.
        clock: Seconds since the epoch; the same for all processes.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        path: Path,
        limits: RateLimits,
        *,
        account: str,
        on_wait: OnWait | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._limits = limits
        # Part of a table's name: whatever the caller calls the account.
        self._account_digest = hashlib.sha256(account.encode()).hexdigest()[:16]
        self._on_wait = on_wait
        self._clock = clock
        self._sleep = sleep
        self._guard = threading.Lock()
        self._turns = {family: threading.Lock() for family in OperationFamily}
        self._connection: sqlite3.Connection | None = None
        self._owner_pid = 0
        self._buckets: dict[OperationFamily, pyrate_limiter.SQLiteBucket] = {}
        self._place_numbers = itertools.count()
        self._last_place = threading.local()
        self._may_be_pausing: set[OperationFamily] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def acquire(self, family: OperationFamily) -> float:
        """Wait until a request of this family may start, and take its place. Returns the seconds waited."""
        rate = self._limits.rate(family)
        if rate is None:
            return 0.0
        began = self._clock()
        # One thread of a process competes at a time; the others queue behind it instead of waking in a herd.
        with self._turns[family]:
            while (wait_seconds := self._try_to_take(family, rate)) > 0:
                self._wait(family, wait_seconds)
        return max(0.0, self._clock() - began)

    def departed(self, family: OperationFamily) -> None:
        """Move the place that this thread took last to the present, so that the next one keeps its distance."""
        place: _Place | None = self._last_place.__dict__.pop(family.value, None)
        if place is None or self._now_milliseconds() - place.taken_milliseconds < _NOTABLE_DELAY_MILLISECONDS:
            return
        with self._transaction() as connection:
            connection.execute(
                f'UPDATE "{self._table(family)}" SET item_timestamp = ? WHERE name = ?',  # noqa: S608  our own name
                (self._now_milliseconds(), place.name),
            )

    def unused(self, family: OperationFamily) -> None:
        """Give back the place that this thread took last, so that trying again need not wait for another."""
        place: _Place | None = self._last_place.__dict__.pop(family.value, None)
        if place is None:
            return
        with self._transaction() as connection:
            connection.execute(f'DELETE FROM "{self._table(family)}" WHERE name = ?', (place.name,))  # noqa: S608  our own name

    def refused(self, family: OperationFamily, *, retry_after_seconds: float | None) -> None:
        """Make all processes pause this family, longer with each refusal in a row."""
        if self._limits.rate(family) is None:
            return
        with self._transaction() as connection:
            now = self._now_milliseconds()
            row = connection.execute(
                "SELECT until_milliseconds, refusals FROM pause WHERE bucket = ?", (self._table(family),)
            ).fetchone()
            until, refusals = row if row is not None else (0, 0)
            if until > now and retry_after_seconds is None:
                # Sent before the pause began, by another thread or process: it is counted already.
                return
            backoff_seconds = min(_MAX_BACKOFF_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(refusals, 16))
            asked_seconds = backoff_seconds if retry_after_seconds is None else retry_after_seconds
            pause_seconds = min(_MAX_PAUSE_SECONDS, asked_seconds)
            connection.execute(
                "INSERT INTO pause VALUES (?, ?, ?) ON CONFLICT (bucket) DO UPDATE SET "
                "until_milliseconds = excluded.until_milliseconds, refusals = excluded.refusals",
                (self._table(family), max(until, now + int(pause_seconds * 1000)), refusals + 1),
            )
        self._may_be_pausing.add(family)
        logger.warning("The service limits %s requests: pausing them for %.0f s", family.value, pause_seconds)

    def accepted(self, family: OperationFamily) -> None:
        """End the pause, if there was one."""
        if family not in self._may_be_pausing:
            return
        self._may_be_pausing.discard(family)
        with self._transaction() as connection:
            connection.execute("DELETE FROM pause WHERE bucket = ?", (self._table(family),))

    def close(self) -> None:
        """Close the file; the next use opens it again, so that clients may share a limiter."""
        with self._guard:
            if self._connection is not None and self._owner_pid == os.getpid():
                self._connection.close()
            self._connection = None
            self._buckets.clear()

    def _try_to_take(self, family: OperationFamily, rate: Rate) -> float:
        """Take a place now and return 0, or return the seconds until there may be one."""
        with self._transaction() as connection:
            now = self._now_milliseconds()
            row = connection.execute(
                "SELECT until_milliseconds FROM pause WHERE bucket = ?", (self._table(family),)
            ).fetchone()
            if row is not None:
                self._may_be_pausing.add(family)
                pause_seconds = (int(row[0]) - now) / 1000
                if 0 < pause_seconds <= _MAX_PAUSE_SECONDS:
                    return pause_seconds
            bucket = self._bucket(family, rate)
            # After the clock was set back, places taken "in the future" would block for as long.
            connection.execute(f'UPDATE "{bucket.table}" SET item_timestamp = ? WHERE item_timestamp > ?', (now, now))  # noqa: S608  our own name
            name = f"{os.getpid()}-{next(self._place_numbers)}"
            item = pyrate_limiter.RateItem(name, now)
            # Not the bucket's own `leak`: it counts and then deletes outside of our transaction, and would take places
            # of other processes with it.
            expired = now - bucket.rates[-1].interval
            connection.execute(f'DELETE FROM "{bucket.table}" WHERE item_timestamp < ?', (expired,))  # noqa: S608  our own name
            if bucket.put(item):
                self._last_place.__dict__[family.value] = _Place(name=name, taken_milliseconds=now)
                return 0.0
            # This bucket never answers with an awaitable.
            return max(1, cast("int", bucket.waiting(item))) / 1000

    def _wait(self, family: OperationFamily, seconds: float) -> None:
        deadline = self._clock() + seconds
        while (remaining := deadline - self._clock()) > 0:
            if self._on_wait is not None:
                self._on_wait(family, remaining)
            self._sleep(min(remaining, _REPORT_SECONDS))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _open(self) -> sqlite3.Connection:
        # A connection must not be used on the other side of a fork.
        if self._connection is None or self._owner_pid != os.getpid():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT_SECONDS, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
            connection.commit()
            self._connection, self._owner_pid = connection, os.getpid()
            self._buckets.clear()
        return self._connection

    def _bucket(self, family: OperationFamily, rate: Rate) -> pyrate_limiter.SQLiteBucket:
        if family not in self._buckets:
            connection = self._open()
            table = self._table(family)
            connection.execute(pyrate_limiter.buckets.sqlite_bucket.Queries.CREATE_BUCKET_TABLE.format(table=table))
            margin_seconds = min(rate.seconds * _MARGIN_SHARE, _MAX_MARGIN_SECONDS)
            window = pyrate_limiter.Rate(rate.count, int((rate.seconds + margin_seconds) * 1000))
            self._buckets[family] = pyrate_limiter.SQLiteBucket([window], connection, table)
        return self._buckets[family]

    def _table(self, family: OperationFamily) -> str:
        return f"{family.value}_{self._account_digest}"

    def _now_milliseconds(self) -> int:
        return int(self._clock() * 1000)
