"""One limit for all threads, processes and machines (contract §3.1, §9.10, §9.11)."""

from __future__ import annotations

import itertools
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.limiter_place import Place, VirtualClock, most_in_any_window
from tests.scripted_server import Reply, ScriptedServer, SeenRequest
from visualsearch_pipeline.api import (
    InvalidInput,
    OperationFamily,
    Rate,
    RateLimited,
    RateLimits,
    RetryPolicy,
    account_id,
)
from visualsearch_pipeline.api.postgresql_limiter_state import PostgresqlLimiterState

if TYPE_CHECKING:
    from tests.api.conftest import Clients

UPLOAD, SEARCH = OperationFamily.UPLOAD, OperationFamily.SEARCH


@given(
    count=st.integers(1, 6),
    seconds=st.sampled_from([0.5, 1.0, 60.0]),
    pauses=st.lists(st.floats(0, 30), min_size=1, max_size=25),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_window_ever_holds_more_than_the_rate(place: Place, count: int, seconds: float, pauses: list[float]) -> None:
    clock = VirtualClock()
    limits = RateLimits(rates={SEARCH: Rate(count, seconds)})
    starts = []
    # Another account each time: one place holds all examples.
    with place.limiter(clock, limits, account=uuid.uuid4().hex) as limiter:
        for pause in pauses:
            clock.now += pause
            began = clock.now
            waited = limiter.acquire(SEARCH)
            assert waited == pytest.approx(clock.now - began)
            starts.append(clock.now)
    assert most_in_any_window(starts, seconds) <= count


@pytest.mark.parametrize("text", ["1/minute", "1/second", "5/second", "12/minute"])
def test_at_least_98_percent_of_the_permitted_starts_are_used(place: Place, text: str) -> None:
    rate = Rate.parse(text)
    assert rate is not None
    clock = VirtualClock()
    starts = []
    with place.limiter(clock, RateLimits(rates={SEARCH: rate})) as limiter:
        for _ in range(rate.count * 50 + 1):
            limiter.acquire(SEARCH)
            starts.append(clock.now)
    permitted = (starts[-1] - starts[0]) * rate.count / rate.seconds
    assert 0.98 <= (len(starts) - 1) / permitted <= 1


def test_families_and_accounts_do_not_hold_each_other_up(place: Place) -> None:
    clock = VirtualClock()
    with place.limiter(clock) as mine, place.limiter(clock, account='other"; DROP') as other:
        assert [mine.acquire(UPLOAD), mine.acquire(SEARCH), other.acquire(UPLOAD)] == [0, 0, 0]
        assert mine.acquire(UPLOAD) >= 60


def test_two_limiters_of_one_account_share_its_limit(place: Place) -> None:
    clock = VirtualClock()
    with place.limiter(clock) as first, place.limiter(clock) as second:
        assert first.acquire(UPLOAD) == 0
        assert 60 <= second.acquire(UPLOAD) < 61
        assert 60 <= first.acquire(UPLOAD) < 61


def test_a_request_that_leaves_late_keeps_the_next_one_at_its_distance(place: Place) -> None:
    clock = VirtualClock()
    with place.limiter(clock) as first, place.limiter(clock) as second:
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
    with Place(str(tmp_path / "limits.db")).limiter(VirtualClock(), RateLimits.unlimited()) as limiter:
        assert limiter.acquire(UPLOAD) == 0
        limiter.refused(UPLOAD, retry_after_seconds=None)
        limiter.accepted(UPLOAD)
        limiter.departed(UPLOAD)
    assert list(tmp_path.iterdir()) == []


def test_the_remaining_wait_is_told_while_it_lasts(place: Place) -> None:
    clock = VirtualClock()
    told: list[tuple[OperationFamily, float]] = []
    limiter = place.limiter(clock, on_wait=lambda family, seconds: told.append((family, seconds)))
    with limiter:
        limiter.acquire(UPLOAD)
        assert told == []
        limiter.acquire(UPLOAD)
    seconds = [remaining for _, remaining in told]
    assert {family for family, _ in told} == {UPLOAD}
    assert seconds == sorted(seconds, reverse=True)
    assert 60 <= seconds[0] < 61
    assert max(earlier - later for earlier, later in itertools.pairwise(seconds)) <= 5.001


def test_a_wait_can_be_given_up_and_leaves_no_trace(place: Place) -> None:
    clock = VirtualClock()

    def give_up(family: OperationFamily, seconds: float) -> None:
        if seconds < 40:
            raise KeyboardInterrupt

    with place.limiter(clock, on_wait=give_up) as impatient:
        impatient.acquire(UPLOAD)
        began = clock.now
        with pytest.raises(KeyboardInterrupt):
            impatient.acquire(UPLOAD)
        assert clock.now - began < 30
        with place.limiter(clock) as other:
            other.acquire(UPLOAD)
        assert 60 <= clock.now - began < 61, "the place that was given up is free for the next"


def test_a_clock_that_was_set_back_does_not_block(place: Place) -> None:
    clock = VirtualClock()
    with place.limiter(clock) as limiter:
        limiter.acquire(UPLOAD)
        limiter.refused(UPLOAD, retry_after_seconds=60)
        clock.now -= 86_400
        assert limiter.acquire(UPLOAD) < 125


def test_refusals_make_everybody_pause_longer_and_longer_and_one_success_ends_it(place: Place) -> None:
    clock = VirtualClock()
    limits = RateLimits(rates={SEARCH: Rate(1000, 1)})
    waits = []
    with place.limiter(clock, limits) as refused, place.limiter(clock, limits) as other:
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


def test_an_answer_to_a_request_sent_before_the_pause_does_not_end_it(place: Place) -> None:
    clock = VirtualClock()
    with place.limiter(clock, RateLimits(rates={SEARCH: Rate(1000, 1)})) as limiter:
        limiter.refused(SEARCH, retry_after_seconds=None)
        limiter.accepted(SEARCH)  # another thread's, which was under way
        assert round(limiter.acquire(SEARCH)) == 1
        limiter.refused(SEARCH, retry_after_seconds=None)
        assert round(limiter.acquire(SEARCH)) == 2, "the first answer did not begin the count anew"
        limiter.accepted(SEARCH)
        limiter.refused(SEARCH, retry_after_seconds=None)
        assert round(limiter.acquire(SEARCH)) == 1


def test_the_client_waits_before_each_attempt_and_reports_it(
    server: ScriptedServer, clients: Clients, tmp_path: Path
) -> None:
    clock = VirtualClock()
    server.script(server.envelope("0429", "Request has exceeded the limit."), server.ok({"unique_ids": []}))
    with Place(str(tmp_path / "limits.db")).limiter(clock) as limiter:
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

    def answer(request: SeenRequest) -> Reply:
        if clock.now < until:
            return server.envelope("0429", "Request has exceeded the limit.")
        return server.ok({"unique_ids": []})

    server.script(answer)
    policy = RetryPolicy(initial_wait_seconds=0, max_wait_seconds=0, jitter_seconds=0)
    with Place(str(tmp_path / "limits.db")).limiter(clock) as limiter:
        clients.make(limiter=limiter, retry=policy).list_unique_ids()
    assert len(server.requests) <= 8
    assert clock.now < until + 33


def test_without_patience_a_refusal_reaches_the_caller(
    server: ScriptedServer, clients: Clients, tmp_path: Path
) -> None:
    server.script(server.envelope(429, "Rate limit exceeded"))
    with Place(str(tmp_path / "limits.db")).limiter(VirtualClock()) as limiter, pytest.raises(RateLimited):
        clients.make(limiter=limiter, attempts=1).list_unique_ids()


def test_the_key_is_in_no_byte_of_the_file(tmp_path: Path) -> None:
    key = "sk-mavi-0123456789"
    place = Place(str(tmp_path / "limits.db"))
    with place.limiter(VirtualClock(), account=account_id(api_key=key, base_url="https://a")) as limiter:
        limiter.acquire(UPLOAD)
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_what_is_no_postgresql_address_is_refused_without_repeating_it() -> None:
    for wrong in ("hunter2", "sqlite:///hunter2"):
        with pytest.raises(InvalidInput) as refused:
            PostgresqlLimiterState(wrong)
        assert "hunter2" not in str(refused.value)
