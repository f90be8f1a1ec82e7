"""When a day is asked for, and when an open video is asked about: at once, then less and less often, never starved."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from visualsearch_pipeline.ledger import LibraryVideo, VideoState
from visualsearch_pipeline.orchestration.cursors import Asked
from visualsearch_pipeline.orchestration.requests import LONGEST_RETRY_FACTOR, RETRY_SECONDS, DayWork, decide
from visualsearch_pipeline.pipeline.index import due

START = datetime(2026, 11, 21, tzinfo=UTC)
DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(400)]


@given(pending=st.sets(st.sampled_from(DAYS)), busy=st.sets(st.sampled_from(DAYS)))
def test_every_day_that_is_free_is_asked_for_once_within_some_ticks(pending: set[date], busy: set[date]) -> None:
    work = {day: DayWork(frozenset({"a file"})) for day in pending}
    asked: dict[date, Asked] = {}
    requested: list[date] = []
    for tick in range(20):
        now = START + timedelta(seconds=30 * tick)
        decision = decide(work, asked=asked, under_way=busy, now=now)
        asked = decision.asked
        for stretch in decision.stretches:
            days = [stretch.first + timedelta(days=number) for number in range((stretch.last - stretch.first).days + 1)]
            assert len(days) <= 7
            requested += days
        if not decision.stretches:
            break
    assert sorted(requested) == sorted(pending - busy)


def test_what_never_moves_is_asked_for_ever_less_often_but_never_given_up() -> None:
    day = DAYS[0]
    asked: dict[date, Asked] = {}
    times: list[datetime] = []
    for tick in range(1500):
        now = START + timedelta(minutes=5 * tick)
        decision = decide({day: DayWork(frozenset({"a file"}))}, asked=asked, under_way=(), now=now)
        asked = decision.asked
        if decision.stretches:
            times.append(now)
    waits = [(later - before).total_seconds() for before, later in pairwise(times)]
    assert waits == sorted(waits)
    assert len(waits) > 15
    assert all(RETRY_SECONDS <= wait <= RETRY_SECONDS * LONGEST_RETRY_FACTOR for wait in waits)


def test_work_that_moves_is_asked_for_after_the_shortest_wait_each_time() -> None:
    day = DAYS[0]
    asked: dict[date, Asked] = {}
    for tick in range(5):
        now = START + timedelta(seconds=RETRY_SECONDS * tick)
        decision = decide({day: DayWork(frozenset({"12 contents"}), progress=tick)}, asked=asked, under_way=(), now=now)
        asked = decision.asked
        assert len(decision.stretches) == 1
        assert asked[day].times == 1


def video(video_no: str, *, age: timedelta, unpolled: timedelta | None) -> LibraryVideo:
    """An entry uploaded so long ago, and last asked about so long ago."""
    return LibraryVideo(
        video_no=video_no,
        sha256="0" * 64,
        day=DAYS[0],
        state=VideoState.INDEXING,
        video_name=None,
        cause=None,
        tags=None,
        bucket=None,
        blob=None,
        created_at=None,
        uploaded_at=START - age,
        ready_at=None,
        polled_at=None if unpolled is None else START - unpolled,
    )


def test_the_older_a_video_the_less_often_it_is_asked_about_and_a_hint_is_followed_at_once() -> None:
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    watched = {
        one.video_no: one
        for one in (
            video("new", age=timedelta(0), unpolled=None),
            video("young", age=10 * minute, unpolled=minute / 2),
            video("young, just asked about", age=10 * minute, unpolled=minute / 3),
            video("a day old", age=24 * hour, unpolled=30 * minute),
            video("a day old, just asked about", age=24 * hour, unpolled=29 * minute),
            video("hinted", age=24 * hour, unpolled=minute),
        )
    }
    assert set(due(watched, hinted={"hinted"}, now=START)) == {"new", "young", "a day old", "hinted"}
