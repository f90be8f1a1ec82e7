"""What every step needs: settings, ledger, client, store, clock and the run's name."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock

from visualsearch_pipeline.api import ApiCall, OnCall, VisualSearchClient
from visualsearch_pipeline.ledger import CallRecord, Ledger
from visualsearch_pipeline.pipeline.errors import StateProblem
from visualsearch_pipeline.pipeline.progress import LoggedProgress, Progress
from visualsearch_pipeline.pipeline.retries import tell_retries
from visualsearch_pipeline.pipeline.spending import Spending
from visualsearch_pipeline.pipeline.waits import Waits
from visualsearch_pipeline.queries import QueryCatalog, load_query_sets
from visualsearch_pipeline.settings import Settings, read_callback_url
from visualsearch_pipeline.warehouse import ParquetStore


@dataclass(frozen=True)
class TimeBox:
    """Until when a step begins new items; those under way are finished."""

    until_monotonic: float

    @classmethod
    def of(cls, seconds: float) -> Self:
        """A time box that begins now."""
        return cls(time.monotonic() + seconds)

    @property
    def is_over(self) -> bool:
        """Whether no new item should be begun. What is left stays queued and is asked for again."""
        return time.monotonic() >= self.until_monotonic


class Pipeline:
    """One run's working place. The steps are functions that take it first.

    The client is opened on first use: looking at the source, publishing and reporting need neither key nor network.

    Args:
        settings: the settings.
        open_client: makes the client, given where to report each attempt; called at most once.
        run_id: what this run is called in the ledger and the tables; made up if not given.
        budget_run_ids: the runs that share `budget.per_run_usd` with this one, this one included; default: this one.
        progress: where steps report; default: log lines.
        waits: told of waits for the rate limit by the client; default: nothing is told.
        clock: the time, aware; default: now in UTC.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        open_client: Callable[[OnCall], VisualSearchClient],
        run_id: str | None = None,
        budget_run_ids: Collection[str] | None = None,
        progress: Progress | None = None,
        waits: Waits | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings = settings
        self.run_id = run_id or str(uuid.uuid4())
        self.progress: Progress = progress or LoggedProgress()
        tell_retries(self.progress)
        self.waits = waits or Waits(self.progress)
        self.now = clock
        self.ledger = Ledger(settings.ledger_database_url)
        self.store = ParquetStore(settings.warehouse_root)
        self.spending = Spending(
            budget=settings.budget,
            ledger=self.ledger,
            run_id=self.run_id,
            run_ids=budget_run_ids or (self.run_id,),
            clock=clock,
        )
        self._open_client = open_client
        self._client: VisualSearchClient | None = None
        self._catalog: QueryCatalog | None = None
        self._lock = threading.Lock()

    @property
    def client(self) -> VisualSearchClient:
        """The client of this run. Every attempt it makes becomes a row in `api_calls`."""
        with self._lock:
            if self._client is None:
                self._client = self._open_client(self._record_call)
            return self._client

    @property
    def catalog(self) -> QueryCatalog:
        """The saved queries as they stand on disk, read once per run."""
        with self._lock:
            if self._catalog is None:
                self._catalog = load_query_sets(self.settings.queries)
            return self._catalog

    @property
    def callback_url(self) -> str | None:
        """The address that the service is asked to call back; None if the settings name none. Secret: never show it.

        Raises:
            SettingsError: the settings name one and the environment lacks its secret.
        """
        return read_callback_url(self.settings)

    @property
    def storage_options(self) -> Mapping[str, str | int | bool]:
        """What fsspec needs to know to open the source."""
        return self.settings.source.storage_options

    def time_box(self) -> TimeBox:
        """A time box of `step_seconds` that begins now."""
        return TimeBox.of(self.settings.step_seconds)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold a lock that one process holds at a time, of this host or, if the ledger is shared, of all hosts.

        It is freed if the process dies.
        """
        if self.ledger.is_shared:
            with self.ledger.locked(name):
                yield
            return
        lock = FileLock(self.settings.state / "locks" / f"{name}.lock")
        try:
            Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError as error:
            raise StateProblem(
                f"cannot lock {lock.lock_file}: {error.strerror or error}; make room or mend the permissions of the "
                "state folder, and run again"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def close(self) -> None:
        """Close the client's connections and the ledger's."""
        if self._client is not None:
            self._client.close()
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _record_call(self, call: ApiCall) -> None:
        self.spending.record(
            CallRecord(
                started_at=call.started_at,
                operation=call.operation,
                item=call.item,
                run_id=self.run_id,
                outcome=call.outcome,
                code=call.code,
                http_status=call.http_status,
                duration_seconds=call.duration_seconds,
                waited_seconds=call.waited_seconds,
                bytes_sent=call.bytes_sent,
                bytes_received=call.bytes_received,
                cost_usd=self.spending.cost_of(call),
            )
        )
