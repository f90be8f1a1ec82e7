"""What a run will cost and take, computed from what there is to do: arithmetic, proven without a service."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visualsearch_pipeline.api import OperationFamily, Rate, RateLimits
from visualsearch_pipeline.pipeline.durations import in_words
from visualsearch_pipeline.pipeline.forecast import (
    ExpectedSearches,
    ExpectedUpload,
    ExpectedWork,
    forecast,
    limit_seconds,
)
from visualsearch_pipeline.settings import BudgetSettings

MINUTE_USD = 15 / 1000
SEARCH_USD = 0.1 / 1000
GIGABYTE = 1_000_000_000
DOCUMENTED = RateLimits.documented()


def hour_long(count: int, *, size_bytes: int = GIGABYTE) -> tuple[ExpectedUpload, ...]:
    return tuple(ExpectedUpload(f"{number}.mp4", size_bytes, 3600.0) for number in range(count))


def budget(*, per_run_usd: float | None = None, per_day_usd: float | None = None) -> BudgetSettings:
    return BudgetSettings(per_run_usd=per_run_usd, per_day_usd=per_day_usd)


def test_every_kind_of_work_is_priced_by_the_table() -> None:
    work = ExpectedWork(
        uploads=hour_long(2),
        searches=(ExpectedSearches("street", 3, 5), ExpectedSearches("empty", 0, 0)),
        transcripts=2,
        captions=4,
        original_bytes=(GIGABYTE, 3 * GIGABYTE),
        keyframes=10,
        keyframe_bytes=GIGABYTE,
    )
    found = forecast(work, limits=DOCUMENTED, budget=budget(), spent_today_usd=0)
    assert {step.name: step.cost_usd for step in found.steps} == {
        "uploads": pytest.approx(120 * MINUTE_USD),
        "search street": pytest.approx(3 * SEARCH_USD),
        "transcripts": pytest.approx(2 * SEARCH_USD),
        "captions": pytest.approx(4 * SEARCH_USD),
        "originals": pytest.approx(4 * 0.12),
        "keyframes": pytest.approx(0.12),
    }
    assert found.cost_usd == pytest.approx(120 * MINUTE_USD + 9 * SEARCH_USD + 5 * 0.12)


def test_three_hundred_uploads_at_one_a_minute_take_five_hours_whatever_the_link() -> None:
    slow_link = ExpectedWork(uploads=hour_long(300), sending_bytes_per_second=GIGABYTE / 61)
    fast_link = ExpectedWork(uploads=hour_long(300), sending_bytes_per_second=GIGABYTE)
    (held,) = forecast(fast_link, limits=DOCUMENTED, budget=budget(), spent_today_usd=0).paces
    assert held.seconds == held.limit_seconds == 299 * 60
    assert held.is_held_by_limit
    (sent,) = forecast(slow_link, limits=DOCUMENTED, budget=budget(), spent_today_usd=0).paces
    assert sent.seconds == pytest.approx(300 * 61)
    assert not sent.is_held_by_limit


def test_steps_of_one_family_share_its_limit_and_the_slowest_family_is_named() -> None:
    work = ExpectedWork(uploads=hour_long(3), transcripts=200, captions=200)
    found = forecast(work, limits=DOCUMENTED, budget=budget(), spent_today_usd=0)
    seconds = {pace.family: pace.seconds for pace in found.paces}
    assert seconds == {OperationFamily.UPLOAD: 120, OperationFamily.TRANSCRIPTS: 399}
    assert found.slowest is not None
    assert found.slowest.family is OperationFamily.TRANSCRIPTS
    assert (found.least_seconds, found.sequential_seconds) == (399, 519)


def test_without_limits_nothing_is_waited_for() -> None:
    work = ExpectedWork(uploads=hour_long(9), transcripts=9)
    assert forecast(work, limits=RateLimits.unlimited(), budget=budget(), spent_today_usd=0).sequential_seconds == 0


def test_a_budget_names_the_first_call_that_it_would_refuse() -> None:
    work = ExpectedWork(uploads=hour_long(10), transcripts=5)
    hour_usd = 60 * MINUTE_USD
    found = forecast(work, limits=DOCUMENTED, budget=budget(per_run_usd=3.5 * hour_usd), spent_today_usd=100)
    (stop,) = found.budget_stops
    assert (stop.budget, stop.step, stop.calls_before, stop.calls) == ("per_run_usd", "uploads", 3, 10)
    assert stop.missing_usd == pytest.approx(6.5 * hour_usd + 5 * SEARCH_USD)


def test_what_was_spent_today_counts_against_the_day_and_not_against_the_run() -> None:
    work = ExpectedWork(transcripts=10)
    limits = budget(per_run_usd=1, per_day_usd=1)
    (stop,) = forecast(work, limits=DOCUMENTED, budget=limits, spent_today_usd=1 - 4 * SEARCH_USD).budget_stops
    assert (stop.budget, stop.calls_before) == ("per_day_usd", 4)
    assert stop.left_usd == pytest.approx(4 * SEARCH_USD)
    assert forecast(work, limits=DOCUMENTED, budget=limits, spent_today_usd=0).budget_stops == ()


def test_a_day_that_is_overspent_has_nothing_left_and_stops_at_the_first_call() -> None:
    (stop,) = forecast(
        ExpectedWork(captions=2), limits=DOCUMENTED, budget=budget(per_day_usd=1), spent_today_usd=5
    ).budget_stops
    assert (stop.left_usd, stop.calls_before) == (0, 0)


@given(calls=st.integers(0, 5000), count=st.integers(1, 50), seconds=st.floats(0.1, 3600))
def test_a_limit_s_time_is_that_of_starts_as_early_as_it_permits(calls: int, count: int, seconds: float) -> None:
    starts = [number // count * seconds for number in range(calls)]
    assert limit_seconds(calls, Rate(count, seconds)) == pytest.approx(max(starts, default=0.0))


@given(
    lengths=st.lists(st.floats(0, 36_000), max_size=30),
    transcripts=st.integers(0, 30),
    limit=st.floats(0, 10),
)
def test_what_runs_before_a_budget_s_stop_fits_and_the_next_call_does_not(
    lengths: list[float], transcripts: int, limit: float
) -> None:
    work = ExpectedWork(
        uploads=tuple(ExpectedUpload("a", 1, length) for length in lengths),
        transcripts=transcripts,
    )
    found = forecast(work, limits=DOCUMENTED, budget=budget(per_run_usd=limit), spent_today_usd=0)
    if not found.budget_stops:
        assert found.cost_usd <= limit + 1e-6
        return
    (stop,) = found.budget_stops
    spent = 0.0
    for step in found.steps:
        if step.name == stop.step:
            before = sum(step.costs_usd[: stop.calls_before])
            assert spent + before <= limit + 1e-6
            assert spent + before + step.costs_usd[stop.calls_before] > limit
            return
        spent += step.cost_usd
    raise AssertionError(stop)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (41.3, "41 s"),
        (59.6, "1 min"),
        (1500, "25 min"),
        (3599, "1 h"),
        (17_261, "4 h 48 min"),
        (86_400, "1 d"),
        (86_399, "1 d"),
        (180_000, "2 d 2 h"),
    ],
)
def test_lengths_of_time_read_as_people_say_them(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
