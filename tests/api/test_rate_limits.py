"""Rates, presets, and one limit for all threads and processes (contract §3.1, §9.10, §9.11)."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visualsearch_pipeline.api import (
    InvalidInput,
    OperationFamily,
    Rate,
    RateLimited,
    RateLimits,
    RetryPolicy,
    SharedRateLimiter,
    account_id,
)

if TYPE_CHECKING:
    from tests.api.conftest import Clients, ScriptedServer

UPLOAD, SEARCH, LIST = OperationFamily.UPLOAD, OperationFamily.SEARCH, OperationFamily.LIST


@dataclass
class VirtualClock:
    """Time that passes only where somebody sleeps."""

    now: float = 1_800_000_000.0
    sleeps: list[float] = field(default_factory=list)

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def limiter_at(
    path: Path, clock: VirtualClock, limits: RateLimits | None = None, account: str = "a"
) -> SharedRateLimiter:
    return SharedRateLimiter(
        path, limits or RateLimits.documented(), account=account, clock=clock.read, sleep=clock.sleep
    )


def most_in_any_window(moments: list[float], seconds: float) -> int:
    moments = sorted(moments)
    return max(sum(1 for other in moments[index:] if other < moment + seconds) for index, moment in enumerate(moments))


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1/minute", Rate(1, 60)),
        ("5/second", Rate(5, 1)),
        ("12 / minute", Rate(12, 60)),
        ("1/2 seconds", Rate(1, 2)),
        ("100/day", Rate(100, 86400)),
        ("3/hour", Rate(3, 3600)),
        ("unlimited", None),
    ],
)
def test_rates_are_read_as_people_write_them(text: str, rate: Rate | None) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize(
    "text", ["", "1", "0/minute", "1/fortnight", "-1/second", "1.5/second", "1/0 seconds", "many/day"]
)
def test_rates_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="must read like"):
        Rate.parse(text)


def test_the_documented_preset_is_the_strictest_published_one() -> None:
    limits = RateLimits.from_setting("documented")
    assert limits.rate(UPLOAD) == Rate(1, 60)
    assert limits.rate(SEARCH) == Rate(1, 1)
    assert limits.rate(LIST) == Rate(5, 1)
    assert limits.rate(OperationFamily.DOWNLOAD) == Rate(12, 60)
    assert all(limits.rate(family) is not None for family in OperationFamily)


def test_single_rates_replace_those_of_the_preset() -> None:
    limits = RateLimits.from_setting({"upload": "10/minute", "list": "unlimited"})
    assert limits.rate(UPLOAD) == Rate(10, 60)
    assert limits.rate(LIST) is None
    assert limits.rate(SEARCH) == Rate(1, 1)
    assert RateLimits.from_setting("unlimited").rate(UPLOAD) is None
    for wrong in ("strict", {"uploads": "1/minute"}, {"upload": "fast"}):
        with pytest.raises(InvalidInput):
            RateLimits.from_setting(wrong)


def test_an_account_has_a_name_that_is_not_its_key(tmp_path: Path) -> None:
    key = "sk-mavi-0123456789"
    name = account_id(api_key=key, base_url="https://a")
    assert key not in name
    assert name == account_id(api_key=key, base_url="https://a")
    assert name != account_id(api_key=key, base_url="https://b")
    with limiter_at(tmp_path / "limits.db", VirtualClock(), account=name) as limiter:
        limiter.acquire(UPLOAD)
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.iterdir())


@given(
    count=st.integers(1, 6),
    seconds=st.sampled_from([0.5, 1.0, 60.0]),
    pauses=st.lists(st.floats(0, 30), min_size=1, max_size=25),
)
@settings(max_examples=30, deadline=None)
def test_no_window_ever_holds_more_than_the_rate(
    tmp_path_factory: pytest.TempPathFactory, count: int, seconds: float, pauses: list[float]
) -> None:
    clock = VirtualClock()
    limits = RateLimits(rates={SEARCH: Rate(count, seconds)})
    starts = []
    with limiter_at(tmp_path_factory.mktemp("limits") / "limits.db", clock, limits) as limiter:
        for pause in pauses:
            clock.now += pause
            began = clock.now
            waited = limiter.acquire(SEARCH)
            assert waited == pytest.approx(clock.now - began)
            starts.append(clock.now)
    assert most_in_any_window(starts, seconds) <= count


@pytest.mark.parametrize("text", ["1/minute", "1/second", "5/second", "12/minute"])
def test_at_least_98_percent_of_the_permitted_starts_are_used(tmp_path: Path, text: str) -> None:
    rate = Rate.parse(text)
    assert rate is not None
    clock = VirtualClock()
    starts = []
    with limiter_at(tmp_path / "limits.db", clock, RateLimits(rates={SEARCH: rate})) as limiter:
        for _ in range(rate.count * 50 + 1):
            limiter.acquire(SEARCH)
            starts.append(clock.now)
    permitted = (starts[-1] - starts[0]) * rate.count / rate.seconds
    assert 0.98 <= (len(starts) - 1) / permitted <= 1


def test_families_and_accounts_do_not_hold_each_other_up(tmp_path: Path) -> None:
    clock = VirtualClock()
    path = tmp_path / "limits.db"
    with limiter_at(path, clock) as mine, limiter_at(path, clock, account='other"; DROP') as other:
        assert [mine.acquire(UPLOAD), mine.acquire(SEARCH), other.acquire(UPLOAD)] == [0, 0, 0]
        assert mine.acquire(UPLOAD) >= 60


def test_two_limiters_of_one_account_share_its_limit(tmp_path: Path) -> None:
    clock = VirtualClock()
    path = tmp_path / "folder" / "limits.db"
    with limiter_at(path, clock) as first, limiter_at(path, clock) as second:
        assert first.acquire(UPLOAD) == 0
        assert 60 <= second.acquire(UPLOAD) < 61
        assert 60 <= first.acquire(UPLOAD) < 61


def test_a_request_that_leaves_late_keeps_the_next_one_at_its_distance(tmp_path: Path) -> None:
    clock = VirtualClock()
    path = tmp_path / "limits.db"
    with limiter_at(path, clock) as first, limiter_at(path, clock) as second:
        first.acquire(SEARCH)
        clock.now += 0.4  # a connection has to be made
        first.departed(SEARCH)
        departed = clock.now
        second.acquire(SEARCH)
        assert clock.now - departed >= 1
        second.departed(SEARCH)
        second.departed(SEARCH)
        clock.now += 5
        first.departed(SEARCH)
        assert second.acquire(SEARCH) == 0, "what departed already does not move again"


def test_unlimited_families_touch_no_file(tmp_path: Path) -> None:
    with limiter_at(tmp_path / "limits.db", VirtualClock(), RateLimits.unlimited()) as limiter:
        assert limiter.acquire(UPLOAD) == 0
        limiter.refused(UPLOAD, retry_after_seconds=None)
        limiter.accepted(UPLOAD)
        limiter.departed(UPLOAD)
    assert list(tmp_path.iterdir()) == []


def test_the_remaining_wait_is_told_while_it_lasts(tmp_path: Path) -> None:
    clock = VirtualClock()
    told: list[tuple[OperationFamily, float]] = []
    limiter = SharedRateLimiter(
        tmp_path / "limits.db",
        RateLimits.documented(),
        account="a",
        on_wait=lambda family, seconds: told.append((family, seconds)),
        clock=clock.read,
        sleep=clock.sleep,
    )
    with limiter:
        limiter.acquire(UPLOAD)
        assert told == []
        limiter.acquire(UPLOAD)
    seconds = [remaining for _, remaining in told]
    assert {family for family, _ in told} == {UPLOAD}
    assert seconds == sorted(seconds, reverse=True)
    assert 60 <= seconds[0] < 61
    assert max(earlier - later for earlier, later in itertools.pairwise(seconds)) <= 5.001


def test_a_wait_can_be_given_up_and_leaves_no_trace(tmp_path: Path) -> None:
    clock = VirtualClock()

    def give_up(family: OperationFamily, seconds: float) -> None:
        if seconds < 40:
            raise KeyboardInterrupt

    path = tmp_path / "limits.db"
    limits = RateLimits.documented()
    with SharedRateLimiter(
        path, limits, account="a", on_wait=give_up, clock=clock.read, sleep=clock.sleep
    ) as impatient:
        impatient.acquire(UPLOAD)
        began = clock.now
        with pytest.raises(KeyboardInterrupt):
            impatient.acquire(UPLOAD)
        assert clock.now - began < 30
        with limiter_at(path, clock) as other:
            other.acquire(UPLOAD)
        assert 60 <= clock.now - began < 61, "the place that was given up is free for the next"


def test_a_clock_that_was_set_back_does_not_block(tmp_path: Path) -> None:
    clock = VirtualClock()
    with limiter_at(tmp_path / "limits.db", clock) as limiter:
        limiter.acquire(UPLOAD)
        limiter.refused(UPLOAD, retry_after_seconds=60)
        clock.now -= 86_400
        assert limiter.acquire(UPLOAD) < 125


def test_refusals_make_everybody_pause_longer_and_longer_and_one_success_ends_it(tmp_path: Path) -> None:
    clock = VirtualClock()
    path = tmp_path / "limits.db"
    limits = RateLimits(rates={SEARCH: Rate(1000, 1)})
    waits = []
    with limiter_at(path, clock, limits) as refused, limiter_at(path, clock, limits) as other:
        for _ in range(8):
            refused.refused(SEARCH, retry_after_seconds=None)
            refused.refused(SEARCH, retry_after_seconds=None)  # an answer to a request sent before the pause
            waits.append(round(other.acquire(SEARCH)))
        assert waits == [1, 2, 4, 8, 16, 32, 32, 32]
        other.accepted(SEARCH)
        assert other.acquire(SEARCH) == 0
        refused.refused(SEARCH, retry_after_seconds=None)
        assert round(other.acquire(SEARCH)) == 1, "the count begins anew"
        refused.refused(SEARCH, retry_after_seconds=17)
        assert round(other.acquire(SEARCH)) == 17
        refused.refused(SEARCH, retry_after_seconds=10**9)
        assert other.acquire(SEARCH) <= 301, "nobody waits for years"


def test_the_client_waits_before_each_attempt_and_reports_it(
    server: ScriptedServer, clients: Clients, tmp_path: Path
) -> None:
    clock = VirtualClock()
    server.script(server.envelope("0429", "Request has exceeded the limit."), server.ok({"unique_ids": []}))
    with limiter_at(tmp_path / "limits.db", clock) as limiter:
        client = clients.make(limiter=limiter)
        client.list_unique_ids()
        assert [round(call.waited_seconds) for call in clients.calls] == [0, 1]
        for _ in range(9):
            client.list_unique_ids()
    waits = [call.waited_seconds for call in clients.calls[2:]]
    assert sum(waits) == pytest.approx(1.0, abs=0.1), "five in a second: one of nine has to wait"


def test_a_storm_of_refusals_does_not_become_a_storm_of_requests(
    server: ScriptedServer, clients: Clients, tmp_path: Path
) -> None:
    clock = VirtualClock()
    until = clock.now + 60

    def answer(request: object) -> object:
        if clock.now < until:
            return server.envelope("0429", "Request has exceeded the limit.")
        return server.ok({"unique_ids": []})

    server.script(answer)  # type: ignore[arg-type]  # a Reply, whose class is not imported here
    policy = RetryPolicy(initial_wait_seconds=0, max_wait_seconds=0, jitter_seconds=0)
    with limiter_at(tmp_path / "limits.db", clock) as limiter:
        clients.make(limiter=limiter, retry=policy).list_unique_ids()
    assert len(server.requests) <= 8
    assert clock.now < until + 33


def test_without_patience_a_refusal_reaches_the_caller(
    server: ScriptedServer, clients: Clients, tmp_path: Path
) -> None:
    server.script(server.envelope(429, "Rate limit exceeded"))
    with limiter_at(tmp_path / "limits.db", VirtualClock()) as limiter, pytest.raises(RateLimited):
        clients.make(limiter=limiter, attempts=1).list_unique_ids()


PROGRAM = r"""
    import sys, threading, time
    from pathlib import Path
    from visualsearch_pipeline.api import OperationFamily, Rate, RateLimits, SharedRateLimiter
    limits = RateLimits(rates={OperationFamily.SEARCH: Rate(5, 0.5)})
    readings = threading.local()
    def clock():
        readings.__dict__.setdefault("seen", []).append(time.time())
        return readings.seen[-1]
    limiter = SharedRateLimiter(Path(sys.argv[1]), limits, account="a", clock=clock)
    print("ready", flush=True)
    until = float(sys.stdin.readline())
    def work():
        while time.time() < until:
            limiter.acquire(OperationFamily.SEARCH)
            # The last two readings of an acquisition: its place in the log, and its end.
            sys.stdout.write(f"{readings.seen[-2]}\n")
            sys.stdout.flush()
    threads = [threading.Thread(target=work) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    limiter.close()
"""


def test_four_processes_of_two_threads_keep_one_limit_and_use_it(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(PROGRAM), str(tmp_path / "limits.db")]
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(4)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        until = f"{time.time() + 3}\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(until)
            process.stdin.flush()
        starts = sorted(float(line) for process in processes for line in process.communicate(timeout=30)[0].split())
    assert [process.returncode for process in processes] == [0] * 4
    assert most_in_any_window(starts, 0.5) <= 5
    used = len(starts) / ((starts[-1] - starts[0] + 0.5) * 10)
    assert used > 0.6, "a machine busy with other tests wakes late; the exact share is proven on a virtual clock"


def test_a_process_killed_while_it_holds_the_lock_blocks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    program = """
        import sys, time
        from pathlib import Path
        from visualsearch_pipeline.api import RateLimits, SharedRateLimiter
        limiter = SharedRateLimiter(Path(sys.argv[1]), RateLimits.documented(), account="a")
        with limiter._transaction():
            print("holding", flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        done = threading.Event()
        with SharedRateLimiter(path, RateLimits.documented(), account="a") as limiter:

            def take() -> None:
                limiter.acquire(UPLOAD)
                done.set()

            thread = threading.Thread(target=take)
            thread.start()
            assert not done.wait(0.3), "held"
            os.kill(holder.pid, signal.SIGKILL)
            assert done.wait(5), "free"
            thread.join()


def test_a_forked_child_opens_the_file_anew(tmp_path: Path) -> None:
    program = """
        import os, sys
        from pathlib import Path
        from visualsearch_pipeline.api import OperationFamily, Rate, RateLimits, SharedRateLimiter
        limits = RateLimits(rates={OperationFamily.SEARCH: Rate(3, 3600)})
        limiter = SharedRateLimiter(Path(sys.argv[1]), limits, account="a")
        limiter.acquire(OperationFamily.SEARCH)
        if (child := os.fork()) == 0:
            limiter.acquire(OperationFamily.SEARCH)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        limiter.acquire(OperationFamily.SEARCH)
        limiter.close()
    """
    path = tmp_path / "limits.db"
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(path)], check=True, timeout=30)
    with sqlite3.connect(path) as connection:
        (table,) = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if re.fullmatch(r"search_[0-9a-f]{16}", name)
        ]
        assert connection.execute(f'SELECT count(*) FROM "{table}"').fetchone() == (3,)  # noqa: S608  our own name
    connection.close()
