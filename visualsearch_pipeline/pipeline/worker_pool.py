"""The threads in which a step's items are worked on side by side, and how they stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar

STOP_SECONDS: Final = 3.0
"""How long a stopped run waits for calls under way. Their threads go on after that, and still record what comes."""

ParamsT = ParamSpec("ParamsT")
ResultT = TypeVar("ResultT")


class RunStopped(Exception):  # noqa: N818  says what happened
    """The run was stopped while this item was under way. What it did before is kept."""


class WorkerPool:
    """A bounded number of threads. Made by `worker_pool`."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._futures: list[Future[object]] = []
        self._stopped = threading.Event()

    def submit(
        self, work: Callable[ParamsT, ResultT], /, *args: ParamsT.args, **kwargs: ParamsT.kwargs
    ) -> Future[ResultT]:
        """Queue a piece of work."""
        future = self._threads.submit(work, *args, **kwargs)
        self._futures.append(future)  # type: ignore[arg-type]  # nobody sets a result on it
        return future

    def check(self) -> None:
        """For work that takes long, to be called while bytes move.

        Raises:
            RunStopped: the run was stopped meanwhile.
        """
        if self._stopped.is_set():
            raise RunStopped("the run was stopped")

    def stop(self) -> None:
        """Begin nothing more, let what moves bytes break off, and give the rest `STOP_SECONDS`."""
        self._stopped.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        wait(self._futures, timeout=STOP_SECONDS)


@contextmanager
def worker_pool(count: int, *, name: str, when_stopped: Callable[[], None] | None = None) -> Iterator[WorkerPool]:
    """Threads for the items of a step.

    An error is waited out, so that no answer is lost. A run that is stopped from outside (Ctrl-C, a run that is
    terminated in the UI) is not: nothing more is begun, transfers break off, and after `STOP_SECONDS` it ends. An
    answer that comes after that is recorded by its thread; if the process dies first, the ledger has the intent.

    Args:
        count: how many threads.
        name: what they are called.
        when_stopped: is called at once when the run is stopped.
    """
    threads = ThreadPoolExecutor(count, thread_name_prefix=name)
    pool = WorkerPool(threads)
    try:
        yield pool
    except Exception:
        threads.shutdown(wait=True, cancel_futures=True)
        raise
    except BaseException:
        if when_stopped is not None:
            when_stopped()
        pool.stop()
        raise
    threads.shutdown(wait=True)
