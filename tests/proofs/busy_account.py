"""Several processes that use one account at once: each uploads, polls, searches, downloads and reads, in virtual time.

What is theirs is real: the client, the shared limiter and its file, the processes, the sandbox and what it counts.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import stamina
import stamina.instrumentation

from tests.proofs.virtual_time import Event, SharedClock, VirtualTime
from visualsearch_pipeline.api import (
    RateLimits,
    RetryPolicy,
    SharedRateLimiter,
    UniqueIdScope,
    VisualSearchClient,
)

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

    from visualsearch_pipeline.sandbox import JournalEntry, Sandbox

START: Final = datetime(2026, 1, 2, tzinfo=UTC).timestamp()
PROCESSES: Final = 4
JOIN_SECONDS: Final = 240.0

FAMILIES: Final = {"upload": "upload", "list_videos": "list", "search": "search", "download": "download"}
"""Operations that the documented limits name, and the sandbox's name for their limit.

The sandbox itself is not imported here: each process imports this, and speaks to it over HTTP only.
"""

OPERATIONS: Final = (*FAMILIES, "get_audio_transcription", "get_metadata")


@dataclass(frozen=True)
class Job:
    """What one thread of each process does over and over, in virtual seconds.

    Attributes:
        operation: Which call.
        seconds: For how long it begins new ones; None: until it has made `count`.
        count: How many; None: as many as it may.
        pause_seconds: Between two of them, beside what the limiter asks for.
    """

    operation: str
    seconds: float | None = None
    count: int | None = None
    pause_seconds: float = 0.0


@dataclass(frozen=True)
class Account:
    """What every process is given."""

    base_url: str
    api_key: str
    folder: Path
    clip: Path
    video_no: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of the jobs: calls that succeeded by operation, and whatever went wrong."""

    done: Counter[str]
    errors: tuple[str, ...]
    journal: tuple[JournalEntry, ...]
    virtual_seconds: float

    def requests(self, operation: str, *, until_seconds: float) -> list[JournalEntry]:
        """Those that reached the sandbox before a virtual time."""
        until = START + until_seconds
        return [entry for entry in self.journal if entry.operation == operation and entry.at.timestamp() < until]

    @property
    def refused(self) -> int:
        """How many requests came too fast, as the sandbox counts."""
        return sum(entry.code in ("0429", "429") or entry.status == 429 for entry in self.journal)


def run_at_once(
    server: Sandbox,
    *,
    folder: Path,
    clip: Path,
    jobs: Sequence[Job],
    events: Mapping[float, Callable[[], None]] | None = None,
) -> Outcome:
    """Let the processes work until all of their jobs are done.

    Args:
        server: A sandbox whose clock stands at `START`.
        folder: For the limiter's file and the downloads.
        clip: What is uploaded, and downloaded again.
        jobs: Each is a thread in each process.
        events: What is to happen after so many virtual seconds.
    """
    rates = server._services.rate_limiter.rates
    server.set_rate_limits({})
    with VisualSearchClient(base_url=server.url, api_key=server.api_key, scope=UniqueIdScope("default")) as client:
        video_no = client.upload(clip, upload_name="first.mp4").video_no
    server.settle()
    server.set_rate_limits(rates)
    began_after = server.journal()[-1].sequence
    account = Account(
        base_url=server.url,
        api_key=server.api_key,
        folder=folder,
        clip=clip,
        video_no=video_no,
        jobs=tuple(jobs),
    )
    context = multiprocessing.get_context("spawn")
    results: SimpleQueue[tuple[Counter[str], list[str]]] = context.SimpleQueue()
    done: Counter[str] = Counter()
    errors: list[str] = []

    def put_forward(now: float) -> None:
        server.clock.set(datetime.fromtimestamp(now, tz=UTC))

    timed = [Event(START + after, happen) for after, happen in (events or {}).items()]
    with ExitStack() as stack:
        time = stack.enter_context(
            VirtualTime(
                start=START,
                sleepers=PROCESSES * len(jobs),
                on_change=put_forward,
                events=timed,
            )
        )
        processes = [
            context.Process(target=_work, args=(number, account, time.address, results)) for number in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(timeout=JOIN_SECONDS)
            if process.exitcode != 0:
                errors.append(f"process {process.pid} ended with {process.exitcode}")
                process.kill()
                process.join()
        while not results.empty():
            did, met = results.get()
            done += did
            errors += met
        if time.failure is not None:
            errors.append(repr(time.failure))
        return Outcome(
            done=done,
            errors=tuple(errors),
            journal=tuple(server.journal(since=began_after)),
            virtual_seconds=time.now - START,
        )


def _work(
    number: int, account: Account, clock_address: str, results: SimpleQueue[tuple[Counter[str], list[str]]]
) -> None:
    # Refusals by the dozen are what is asked for; nobody reads of each.
    stamina.instrumentation.set_on_retry_hooks([])
    logging.getLogger("visualsearch_pipeline").setLevel(logging.ERROR)
    clock = SharedClock(clock_address)
    limiter = SharedRateLimiter(
        account.folder / "limits.db", RateLimits.documented(), account="account", clock=clock.now, sleep=clock.sleep
    )
    # The limiter's pauses are the back-off; they pass in virtual time, the client's own would not.
    retry = RetryPolicy(initial_wait_seconds=0, max_wait_seconds=0, jitter_seconds=0)
    done: Counter[str] = Counter()
    errors: list[str] = []
    with VisualSearchClient(
        base_url=account.base_url,
        api_key=account.api_key,
        scope=UniqueIdScope("default"),
        limiter=limiter,
        retry=retry,
    ) as client:
        threads = [
            threading.Thread(target=_repeat, args=(job, number, client, account, clock, done, errors))
            for job in account.jobs
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    results.put((done, errors))


def _repeat(
    job: Job,
    process: int,
    client: VisualSearchClient,
    account: Account,
    clock: SharedClock,
    done: Counter[str],
    errors: list[str],
) -> None:
    began = clock.now()
    try:
        for number in itertools.count():
            if number == job.count or (job.seconds is not None and clock.now() - began >= job.seconds):
                return
            _call(job.operation, f"{process}-{number}", client, account)
            done[job.operation] += 1
            if job.pause_seconds:
                clock.sleep(job.pause_seconds)
    except Exception as error:  # noqa: BLE001  whatever ends a thread is the test's to judge
        errors.append(f"{job.operation} of process {process}: {error!r}")
    finally:
        clock.leave()


def _call(operation: str, name: str, client: VisualSearchClient, account: Account) -> None:
    match operation:
        case "upload":
            client.upload(account.clip, upload_name=f"clip-{name}.mp4")
        case "list_videos":
            client.list_videos()
        case "search":
            client.search("red", top_k=10)
        case "download":
            path = account.folder / f"{name}.mp4"
            client.download(account.video_no, path)
            assert path.read_bytes() == account.clip.read_bytes()
            path.unlink()
        case "get_audio_transcription":
            client.get_audio_transcription(account.video_no)
        case "get_metadata":
            assert client.get_metadata(account.video_no) is not None
        case _:
            raise ValueError(operation)


def permitted(server: Sandbox, family: str, *, seconds: float) -> float:
    """How many starts the sandbox's limit of a family permits in some time."""
    rate = next(rate for name, rate in server._services.rate_limiter.rates.items() if name.value == family)
    return seconds / rate.per_seconds * rate.calls
