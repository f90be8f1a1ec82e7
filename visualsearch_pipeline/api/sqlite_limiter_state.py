"""The rate limiter's memory in a file: for all threads and processes of one machine.

The sliding-window log is pyrate-limiter's. The file's own write lock makes "count, then take a place" one step; the
operating system takes it back from a process that dies, so that nobody is blocked.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import pyrate_limiter
from filelock import FileLock

from visualsearch_pipeline.api.errors import LimiterUnavailable
from visualsearch_pipeline.api.limiter_state import LimiterTransaction, Pause, window_milliseconds
from visualsearch_pipeline.api.rate_limits import Rate

_LOCK_TIMEOUT_SECONDS: Final = 60.0

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS pause (
    bucket TEXT PRIMARY KEY,
    until_milliseconds INTEGER NOT NULL,
    refusals INTEGER NOT NULL
)
"""


class SqliteLimiterState:
    """A `LimiterState` in an SQLite file.

    Args:
        path: The file; made with its folder if missing. On a local disk: network file systems lock badly.
        clock: Seconds since the epoch; the same for all processes.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._owner_pid = 0

    @contextmanager
    def transaction(self, bucket: str) -> Iterator[LimiterTransaction]:
        """One transaction on a bucket; made if it is new.

        Raises:
            LimiterUnavailable: The file cannot be made, read or locked.
        """
        with self._guard:
            try:
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
            except (OSError, sqlite3.Error) as error:
                message = (
                    f"Cannot use the rate limits kept in {self._path}: {error}. No call can start without them. If the "
                    "file is damaged, remove it while nothing runs; else make room, or mend its permissions."
                )
                raise LimiterUnavailable(message) from error
            try:
                yield _Transaction(connection, bucket, self._clock)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._guard:
            if self._connection is not None and self._owner_pid == os.getpid():
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        # A connection must not be used on the other side of a fork.
        if self._connection is None or self._owner_pid != os.getpid():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # One process at a time: SQLite does not wait for its lock when several turn a new file to WAL at once.
            with FileLock(f"{self._path}.lock", timeout=_LOCK_TIMEOUT_SECONDS):
                connection = sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT_SECONDS, check_same_thread=False)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(_SCHEMA)
                connection.commit()
            self._connection, self._owner_pid = connection, os.getpid()
        return self._connection


@dataclass(frozen=True)
class _Transaction:
    connection: sqlite3.Connection
    bucket: str
    clock: Callable[[], float]

    def now_milliseconds(self) -> int:
        return int(self.clock() * 1000)

    def pause(self) -> Pause | None:
        row = self.connection.execute(
            "SELECT until_milliseconds, refusals FROM pause WHERE bucket = ?", (self.bucket,)
        ).fetchone()
        return None if row is None else Pause(until_milliseconds=int(row[0]), refusals=int(row[1]))

    def set_pause(self, pause: Pause) -> None:
        self.connection.execute(
            "INSERT INTO pause VALUES (?, ?, ?) ON CONFLICT (bucket) DO UPDATE SET "
            "until_milliseconds = excluded.until_milliseconds, refusals = excluded.refusals",
            (self.bucket, pause.until_milliseconds, pause.refusals),
        )

    def clear_pause(self) -> None:
        self.connection.execute("DELETE FROM pause WHERE bucket = ?", (self.bucket,))

    def take(self, name: str, *, rate: Rate, now_milliseconds: int) -> int:
        now, window = now_milliseconds, window_milliseconds(rate)
        create = pyrate_limiter.buckets.sqlite_bucket.Queries.CREATE_BUCKET_TABLE
        self.connection.execute(create.format(table=self.bucket))
        bucket = pyrate_limiter.SQLiteBucket([pyrate_limiter.Rate(rate.count, window)], self.connection, self.bucket)
        # After the clock was set back, places taken "in the future" would block for as long.
        self._execute('UPDATE "{}" SET item_timestamp = ? WHERE item_timestamp > ?', now, now)
        # Not the bucket's own `leak`: it counts and then deletes outside of our transaction, and would take places of
        # other processes with it.
        self._execute('DELETE FROM "{}" WHERE item_timestamp < ?', now - window)
        item = pyrate_limiter.RateItem(name, now)
        if bucket.put(item):
            return 0
        # This bucket never answers with an awaitable.
        return max(1, cast("int", bucket.waiting(item)))

    def move(self, name: str, *, to_milliseconds: int) -> None:
        self._execute('UPDATE "{}" SET item_timestamp = ? WHERE name = ?', to_milliseconds, name)

    def give_back(self, name: str) -> None:
        self._execute('DELETE FROM "{}" WHERE name = ?', name)

    def _execute(self, statement: str, *parameters: object) -> None:
        # The bucket's name is made by the limiter, of a word and a hash.
        self.connection.execute(statement.format(self.bucket), parameters)
