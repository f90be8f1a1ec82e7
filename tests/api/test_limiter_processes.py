"""One limit for processes that compete, die or fork, and machines whose clocks differ (contract §3.1, §9.10)."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.limiter_place import Place, VirtualClock, most_in_any_window
from tests.postgres_server import PostgresServer
from visualsearch_pipeline.api import (
    OperationFamily,
    Rate,
    RateLimits,
    SharedRateLimiter,
)

if TYPE_CHECKING:
    pass


UPLOAD = OperationFamily.UPLOAD
ROOT = Path(__file__).parents[2]


def run(program: str, place: Place) -> subprocess.Popen[str]:
    """Another process, which is told the place."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), place.address]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


COMPETITOR = r"""
    import sys, threading, time
    from contextlib import contextmanager
    from tests.limiter_place import Place
    from visualsearch_pipeline.api import OperationFamily, Rate, RateLimits, SharedRateLimiter
    limits = RateLimits(rates={OperationFamily.SEARCH: Rate(5, 0.5)})

    class Told:
        def __init__(self, bucket):
            self.bucket = bucket
        def __getattr__(self, name):
            return getattr(self.bucket, name)
        def take(self, name, *, rate, now_milliseconds):
            wait = self.bucket.take(name, rate=rate, now_milliseconds=now_milliseconds)
            if not wait:
                sys.stdout.write(f"{now_milliseconds}\n")
                sys.stdout.flush()
            return wait

    class TellingState:
        # Tells the time of each place that was taken, as the state itself has it.
        def __init__(self, state):
            self.state = state
        @contextmanager
        def transaction(self, bucket):
            with self.state.transaction(bucket) as transaction:
                yield Told(transaction)
        def close(self):
            self.state.close()

    limiter = SharedRateLimiter(TellingState(Place(sys.argv[1]).state()), limits, account="a")
    print("ready", flush=True)
    until = float(sys.stdin.readline())
    def work():
        while time.time() < until:
            limiter.acquire(OperationFamily.SEARCH)
    threads = [threading.Thread(target=work) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    limiter.close()
"""


def test_four_processes_of_two_threads_keep_one_limit_and_go_on(place: Place) -> None:
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(run(COMPETITOR, place)) for _ in range(4)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        until = f"{time.time() + 1.5}\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(until)
            process.stdin.flush()
        told = [line for process in processes for line in process.communicate(timeout=30)[0].split()]
        starts = sorted(int(line) / 1000 for line in told)
    assert [process.returncode for process in processes] == [0] * 4
    assert most_in_any_window(starts, 0.5) <= 5
    # How much of the limit is used is a matter of the machine's pace here; `tests/proofs` asks that on a virtual clock.
    assert len(starts) > 5, "places come free again"


def test_a_process_killed_while_it_holds_the_lock_blocks_nobody(place: Place) -> None:
    program = """
        import sys, time
        from tests.limiter_place import Place
        from visualsearch_pipeline.api import OperationFamily, RateLimits, SharedRateLimiter
        limiter = SharedRateLimiter(Place(sys.argv[1]).state(), RateLimits.documented(), account="a")
        with limiter._state.transaction(limiter._bucket(OperationFamily.UPLOAD)):
            print("holding", flush=True)
            time.sleep(60)  # until it is killed; not for ever, should nobody do so
    """
    with run(program, place) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        done = threading.Event()
        with SharedRateLimiter(place.state(), RateLimits.documented(), account="a") as limiter:

            def take() -> None:
                limiter.acquire(UPLOAD)
                done.set()

            thread = threading.Thread(target=take)
            thread.start()
            assert not done.wait(0.3), "held"
            os.kill(holder.pid, signal.SIGKILL)
            assert done.wait(5), "free"
            thread.join()


def test_a_forked_child_opens_the_place_anew(place: Place) -> None:
    program = """
        import os, sys
        from tests.limiter_place import Place
        from visualsearch_pipeline.api import OperationFamily, Rate, RateLimits, SharedRateLimiter
        limits = RateLimits(rates={OperationFamily.SEARCH: Rate(3, 3600)})
        limiter = SharedRateLimiter(Place(sys.argv[1]).state(), limits, account="a")
        limiter.acquire(OperationFamily.SEARCH)
        if (child := os.fork()) == 0:
            limiter.acquire(OperationFamily.SEARCH)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        limiter.acquire(OperationFamily.SEARCH)
        limiter.close()
    """
    with run(program, place) as process:
        assert process.wait(timeout=30) == 0
    if place.address.startswith("postgresql:"):
        with closing(psycopg.connect(place.address)) as connection:
            assert connection.execute("SELECT count(*) FROM rate_limit_places").fetchone() == (3,)
        return
    with closing(sqlite3.connect(place.address)) as connection:
        (table,) = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if re.fullmatch(r"search_[0-9a-f]{16}", name)
        ]
        assert connection.execute(f'SELECT count(*) FROM "{table}"').fetchone() == (3,)  # noqa: S608  our own name


def test_the_clocks_of_two_machines_do_not_matter_where_a_database_keeps_the_time(postgres: PostgresServer) -> None:
    place = Place(postgres.make_schema())
    ahead, behind = VirtualClock(now=time.time() + 3600), VirtualClock(now=time.time() - 3600)
    limits = RateLimits(rates={UPLOAD: Rate(1, 60)})
    told: list[float] = []

    def give_up(family: OperationFamily, seconds: float) -> None:
        told.append(seconds)
        raise KeyboardInterrupt

    first = SharedRateLimiter(place.state(), limits, account="a", clock=ahead.read, sleep=ahead.sleep)
    second = SharedRateLimiter(
        place.state(), limits, account="a", on_wait=give_up, clock=behind.read, sleep=behind.sleep
    )
    with first, second:
        first.acquire(UPLOAD)
        with pytest.raises(KeyboardInterrupt):
            second.acquire(UPLOAD)
    assert 50 < told[0] < 61
