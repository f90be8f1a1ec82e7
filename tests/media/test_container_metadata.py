from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visualsearch_pipeline.media.container_metadata import (
    Position,
    camera_model,
    captured_at,
    parse_iso_6709,
    position,
)


@pytest.mark.parametrize(
    ("text", "latitude", "longitude"),
    [
        ("+48.8577+002.2950/", 48.8577, 2.2950),
        ("+12.3456-098.7654+010/", 12.3456, -98.7654),
        ("+27.5916+086.5640+8850CRSWGS_84/", 27.5916, 86.5640),
        ("-33.8568+151.2153", -33.8568, 151.2153),
        ("+40-075/", 40.0, -75.0),
        ("+4012.22-07500.25/", 40 + 12.22 / 60, -(75 + 0.25 / 60)),
        ("+401213.1-0750015.1/", 40 + 12 / 60 + 13.1 / 3600, -(75 + 15.1 / 3600)),
        ("+7.5-98.1/", 7.5, -98.1),
    ],
)
def test_points_in_every_form_of_the_standard_are_read(text: str, latitude: float, longitude: float) -> None:
    point = parse_iso_6709(text)
    assert point is not None
    assert point.latitude == pytest.approx(latitude)
    assert point.longitude == pytest.approx(longitude)


@pytest.mark.parametrize(
    "text", ["", "Berlin", "+91.0000+000.0000/", "+10.0000+181.0000/", "+48.8577", "+4890.00+00200.00/", "48.8,2.2"]
)
def test_what_is_no_point_on_earth_is_none(text: str) -> None:
    assert parse_iso_6709(text) is None


@given(latitude=st.integers(-900_000, 900_000), longitude=st.integers(-1_800_000, 1_800_000))
def test_every_point_round_trips(latitude: int, longitude: int) -> None:
    north, east = latitude / 10_000, longitude / 10_000
    point = parse_iso_6709(f"{north:+08.4f}{east:+09.4f}/")
    assert point == Position(north, east)


@given(text=st.text(max_size=40) | st.from_regex(r"[+-][0-9.]{1,12}[+-][0-9.]{1,12}/?", fullmatch=True))
def test_no_text_breaks_the_reader(text: str) -> None:
    point = parse_iso_6709(text)
    assert point is None or (abs(point.latitude) <= 90 and abs(point.longitude) <= 180)


def test_a_camera_without_a_fix_was_nowhere() -> None:
    assert position({"location": "+00.0000+000.0000/"}) is None


def test_a_tag_that_cannot_be_read_gives_way_to_the_next() -> None:
    tags = {"com.apple.quicktime.location.ISO6709": "home", "location": "+48.8577+002.2950/"}
    assert position(tags) == Position(48.8577, 2.2950)


@pytest.mark.parametrize(
    "unset",
    ["1904-01-01T00:00:00.000000Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00+0000", "2026", "2026-01-05", "soon"],
)
def test_a_clock_that_was_never_set_tells_no_time(unset: str) -> None:
    assert captured_at({"creation_time": unset}) is None
    later = datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert captured_at({"com.apple.quicktime.creationdate": unset, "creation_time": later.isoformat()}) == later


@given(
    moment=st.datetimes(min_value=datetime(1972, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001 (the zone is drawn apart)
    offset_minutes=st.integers(-14 * 60, 14 * 60),
)
def test_times_of_every_zone_become_utc(moment: datetime, offset_minutes: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    read = captured_at({"COM.APPLE.QUICKTIME.CREATIONDATE": there.isoformat()})
    assert read == there
    assert read is not None
    assert read.tzinfo is UTC


def test_a_time_without_a_zone_is_utc() -> None:
    assert captured_at({"creation_time": "2026-01-05 10:00:00"}) == datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tags", "model"),
    [
        ({"make": "Canon", "model": "Canon EOS R6"}, "Canon EOS R6"),
        ({"MAKE": "Sony", "MODEL": "ILCE-7M4"}, "Sony ILCE-7M4"),
        ({"make": "DJI"}, "DJI"),
        ({"model": "HERO12\x00 Black\n"}, "HERO12 Black"),
        ({"model": "x" * 300}, "x" * 200),
        ({"make": " ", "model": ""}, None),
        ({}, None),
    ],
)
def test_the_camera_is_named_as_the_service_takes_it(tags: dict[str, str], model: str | None) -> None:
    assert camera_model(tags) == model
