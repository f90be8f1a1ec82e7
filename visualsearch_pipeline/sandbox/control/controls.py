"""The typed face of a sandbox that runs in this process."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from visualsearch_pipeline.sandbox.calls import Services
from visualsearch_pipeline.sandbox.clock import Clock
from visualsearch_pipeline.sandbox.config import DEFAULT_ACCOUNT, RateLimits
from visualsearch_pipeline.sandbox.control.archive import dump_state, load_state
from visualsearch_pipeline.sandbox.control.faults import FaultBoard
from visualsearch_pipeline.sandbox.control.models import JournalEntry, LibraryVideo, SeededVideo, SentCallback
from visualsearch_pipeline.sandbox.control.seeding import seed_videos
from visualsearch_pipeline.sandbox.control.transitions import Transitions
from visualsearch_pipeline.sandbox.credits import Credits

_POLL_SECONDS = 0.01


class IndexingTimeoutError(TimeoutError):
    """The workers did not finish in time."""


class Controls:
    """What a test can ask of a sandbox and tell it. `SandboxAdmin` has the same names, over HTTP."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def clock(self) -> Clock:
        """The clock: freeze, advance, set, resume."""
        return self._services.clock

    @property
    def faults(self) -> FaultBoard:
        """The faults: add, rules, fired, clear."""
        return self._services.faults

    @property
    def transitions(self) -> Transitions:
        """How items end: plan, plans, clear."""
        return self._services.transitions

    @property
    def credits(self) -> Credits:
        """The money of the accounts."""
        return self._services.credits

    def journal(self, *, operation: str | None = None, since: int = 0) -> list[JournalEntry]:
        """The requests to the API so far, over all restarts; those after `since` (a sequence number) if given."""
        return self._services.journal.entries(operation=operation, since=since)

    def videos(self) -> list[LibraryVideo]:
        """Every video of every account, oldest first, whatever the API would show."""
        self._services.indexer.settle()
        return [
            LibraryVideo(
                video_no=video.video_no,
                library=video.library,
                unique_id=video.unique_id,
                folder_id=video.folder_id,
                video_name=video.video_name,
                file_name=video.file_name,
                status=video.status,
                cause=video.cause,
                created_at=datetime.fromtimestamp(video.created_ms / 1000, tz=UTC),
                size_bytes=video.size_bytes,
                duration_seconds=video.duration_seconds,
                tags=video.tags,
                bucket=video.bucket,
                blob=video.blob,
            )
            for video in self._services.library.everything()
        ]

    def callbacks(self) -> list[SentCallback]:
        """The webhooks, those still waiting included."""
        return self._services.callbacks.sent()

    def set_rate_limits(self, rates: RateLimits) -> None:
        """Put other limits in force until the sandbox ends."""
        self._services.rate_limiter.set_rates(rates)

    def settle(self, *, timeout_seconds: float = 60.0) -> None:
        """Wait in real time until the workers are idle, then show what is due by the clock.

        Idle means: every accepted file is decoded, every scraper task that is due has fetched its posts.

        Raises:
            IndexingTimeoutError: Files are still being decoded after `timeout_seconds`.
        """
        ends = time.monotonic() + timeout_seconds
        # The tasks first: what they fetch is queued before they are finished, and would be missed the other way round.
        while (tasks := self._services.scraper_tasks.waiting()) or self._services.progress.queued():
            waiting = self._services.progress.queued()
            if time.monotonic() > ends:
                names = ", ".join(video.file_name for video in waiting[:3]) or "a scraper's posts"
                message = f"{len(waiting)} files and {tasks} tasks are not done after {timeout_seconds} s: {names}"
                raise IndexingTimeoutError(message)
            time.sleep(_POLL_SECONDS)
        self._services.indexer.settle()

    def reset(self) -> None:
        """Forget everything: libraries, journal, faults, transitions, credits, callbacks. The clock goes on."""
        self._services.database.clear()
        self._services.files.clear()
        self._forget_memory()

    def seed(self, videos: Iterable[SeededVideo], *, account: str = DEFAULT_ACCOUNT) -> list[str]:
        """Enter parsed videos that have no file; returns their ids in the order given."""
        return seed_videos(self._services, account, videos)

    def dump(self, path: Path) -> None:
        """Write the whole state to a tar file."""
        dump_state(self._services, path)

    def load(self, path: Path) -> None:
        """Replace the whole state by that of a dump."""
        load_state(self._services, path)
        self._forget_memory()
        for video in self._services.progress.queued():
            self._services.indexer.enqueue(video)

    def _forget_memory(self) -> None:
        self._services.corpus.clear()
        self._services.faults.reload()
        self._services.rate_limiter.set_rates(self._services.rate_limiter.rates)
