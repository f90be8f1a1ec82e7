from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visualsearch_pipeline.media import InvalidPattern, ItemDay, PathDate, Sighting, SourceFile, day_of, is_settled

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


def file_at(relative_path: str = "clip.mp4", *, modified_at: datetime | None = None, size_bytes: int = 5) -> SourceFile:
    return SourceFile(f"file:///{relative_path}", relative_path, "clip.mp4", size_bytes, modified_at)


def test_the_default_day_is_that_of_the_last_change_in_utc() -> None:
    late_in_new_york = datetime(2026, 1, 4, 22, tzinfo=timezone(timedelta(hours=-5)))
    assert day_of(file_at(modified_at=late_in_new_york), partition_by="modified", seen_at=NOW) == ItemDay(
        date(2026, 1, 5), "modified"
    )


def test_the_day_of_arrival_is_that_of_the_first_sighting_in_utc() -> None:
    seen_at = datetime(2026, 1, 11, 1, tzinfo=timezone(timedelta(hours=3)))
    day = day_of(file_at(modified_at=NOW), partition_by="arrival", seen_at=seen_at)
    assert day == ItemDay(date(2026, 1, 10), "arrival")


@pytest.mark.parametrize(
    ("pattern", "path", "day"),
    [
        ("%Y/%m/%d", "gate/2026/01/05/clip.mp4", date(2026, 1, 5)),
        ("%Y-%m-%d", "2026-01-05 gate.mp4", date(2026, 1, 5)),
        ("%Y%m%d", "VID_20260105_181502.mp4", date(2026, 1, 5)),
        ("%d.%m.%Y", "Hof 05.01.2026.mp4", date(2026, 1, 5)),
        ("year=%Y/month=%m/day=%d", "year=2026/month=01/day=05/clip.mp4", date(2026, 1, 5)),
        ("100%%/%Y%m%d", "100%/20260105.mp4", date(2026, 1, 5)),
        ("%Y-%m-%d", "2026-01-09 export/2026-01-05.mp4", date(2026, 1, 5)),
        ("%Y-%m-%d", "2026-01-05/take 2026-13-40.mp4", date(2026, 1, 5)),
    ],
)
def test_a_date_in_the_path_is_the_day(pattern: str, path: str, day: date) -> None:
    assert day_of(file_at(path, modified_at=NOW), partition_by=pattern, seen_at=NOW) == ItemDay(day, "path")


@pytest.mark.parametrize("path", ["clip.mp4", "20260105.mp4", "2026-02-30.mp4", "12026-01-05.mp4", "2026-01-051.mp4"])
def test_a_path_without_the_date_falls_back_to_the_last_change_and_says_so(path: str) -> None:
    day = day_of(file_at(path, modified_at=datetime(2026, 1, 3, tzinfo=UTC)), partition_by="%Y-%m-%d", seen_at=NOW)
    assert day.day == date(2026, 1, 3)
    assert day.source == "modified"
    assert day.note == "no date like %Y-%m-%d in the path"


def test_without_any_date_the_day_of_arrival_stands_in_and_says_so() -> None:
    day = day_of(file_at(), partition_by="%Y-%m-%d", seen_at=NOW)
    assert (day.day, day.source) == (date(2026, 1, 10), "arrival")
    assert day.note == "no date like %Y-%m-%d in the path; the storage tells no modification time"


@pytest.mark.parametrize(
    ("partition_by", "path"), [("modified", "clip.mp4"), ("%Y-%m-%d", "2031-01-05.mp4"), ("%Y-%m-%d", "clip.mp4")]
)
def test_no_day_lies_after_the_arrival(partition_by: str, path: str) -> None:
    day = day_of(file_at(path, modified_at=NOW + timedelta(days=1)), partition_by=partition_by, seen_at=NOW)
    assert (day.day, day.source) == (date(2026, 1, 10), "arrival")
    assert day.note is not None
    assert "after the arrival" in day.note


@given(day=st.dates(min_value=date(1000, 1, 1)), before=st.text("ab/_-. "), after=st.text("xy/_-. "))
def test_every_date_of_the_calendar_is_found_wherever_it_stands(day: date, before: str, after: str) -> None:
    assert PathDate.parse("%Y/%m/%d").find(f"{before}{day:%Y/%m/%d}{after}") == day


@pytest.mark.parametrize(
    "pattern", ["", "created", "%Y", "%Y-%m", "%Y-%m-%d-%d", "%y-%m-%d", "%Y-%m-%d %H", "{year}/{month}/{day}", "%"]
)
def test_a_pattern_without_a_whole_date_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern, match=r"%Y"):
        day_of(file_at(), partition_by=pattern, seen_at=NOW)


def test_a_clock_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        day_of(file_at(), partition_by="arrival", seen_at=NOW.replace(tzinfo=None))


def settled(file: SourceFile, previous: Sighting | None = None) -> bool:
    return is_settled(file, previous=previous, seen_at=NOW, settle_seconds=60)


def test_a_file_untouched_for_long_is_settled_at_first_sight() -> None:
    assert settled(file_at(modified_at=NOW - timedelta(seconds=60)))


def test_a_file_touched_just_now_is_left_alone() -> None:
    assert not settled(file_at(modified_at=NOW - timedelta(seconds=59)))


def test_a_file_that_grew_is_left_alone_even_if_its_time_is_old() -> None:
    old = NOW - timedelta(days=300)
    previous = Sighting.of(file_at(modified_at=old, size_bytes=4), seen_at=NOW - timedelta(seconds=90))
    assert not settled(file_at(modified_at=old), previous)


@pytest.mark.parametrize("modified_at", [None, NOW + timedelta(days=1), NOW])
def test_where_the_time_proves_nothing_two_equal_sightings_do(modified_at: datetime | None) -> None:
    file = file_at(modified_at=modified_at)
    assert not settled(file)
    assert not settled(file, Sighting.of(file, seen_at=NOW - timedelta(seconds=59)))
    assert settled(file, Sighting.of(file, seen_at=NOW - timedelta(seconds=60)))


def test_no_rest_required_means_every_file_at_once() -> None:
    assert is_settled(file_at(modified_at=NOW), previous=None, seen_at=NOW, settle_seconds=0)
