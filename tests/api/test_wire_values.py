"""The spellings of the wire, read exactly or refused (contract §1.6-1.8)."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visualsearch_pipeline.api import InvalidInput, Video
from visualsearch_pipeline.api.wire import (
    read_identifier,
    read_instant,
    read_integer,
    read_number,
    read_positive_number,
    read_tags,
    read_text,
    to_epoch_milliseconds,
    to_service_time,
)

ABSENT = [None, "", "null", " null ", "  "]


@pytest.mark.parametrize("absent", ABSENT)
def test_every_spelling_of_absence_is_none(absent: object) -> None:
    for read in (read_text, read_identifier, read_integer, read_number, read_instant, read_positive_number):
        assert read(absent) is None
    assert read_tags(absent) == ()


@given(st.integers(-(2**63), 2**63 - 1))
@settings(deadline=None)
def test_64_bit_integers_survive_as_numbers_and_as_strings(number: int) -> None:
    sent = json.loads(json.dumps({"n": number, "s": str(number)}))
    assert read_integer(sent["n"]) == read_integer(sent["s"]) == number
    assert read_identifier(sent["n"]) == read_identifier(sent["s"]) == str(number)
    assert Video(video_no=str(number)).video_no == Video.model_validate({"videoNo": number}).video_no == str(number)


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_numbers_survive_as_numbers_and_as_strings(number: float) -> None:
    assert read_number(number) == read_number(repr(number)) == number


@given(st.one_of(st.booleans(), st.lists(st.integers()), st.dictionaries(st.text(), st.integers()), st.floats()))
@settings(deadline=None)
def test_what_is_no_integer_is_refused_and_never_guessed(value: object) -> None:
    try:
        read = read_integer(value)
    except ValueError:
        return
    assert isinstance(value, float)
    assert read == value


@pytest.mark.parametrize("value", ["12x", "1e3", "0x10", "١٢", "1_000", "--1", "12.5", 12.5, 1e300, True, [], {}])
def test_doubtful_integers_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        read_integer(value)


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity", math.nan, math.inf, True, "12,5", [], 10**400])
def test_doubtful_numbers_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a"):
        read_number(value)


def test_an_id_that_went_through_a_float_is_refused() -> None:
    with pytest.raises(ValueError, match="not an id"):
        read_identifier(5.68102998803353600e17)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001  hypothesis wants naive bounds
@settings(deadline=None)
def test_times_make_the_round_trip_to_the_millisecond_in_any_zone(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    milliseconds = to_epoch_milliseconds(moment)
    back = read_instant(str(milliseconds))
    assert back is not None
    assert timedelta(0) <= moment - back < timedelta(milliseconds=1)
    assert back.tzinfo is UTC
    written = datetime.strptime(to_service_time(moment), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert timedelta(0) <= moment - written < timedelta(seconds=1)


def test_the_documents_own_pair_of_times() -> None:
    moment = datetime(2025, 9, 7, 22, 52, tzinfo=UTC)
    assert to_epoch_milliseconds(moment) == 1757285520000
    assert to_service_time(moment) == "2025-09-07 22:52:00"


@pytest.mark.parametrize("write", [to_epoch_milliseconds, to_service_time])
def test_a_time_without_a_zone_is_not_guessed(write: object) -> None:
    assert callable(write)
    with pytest.raises(InvalidInput, match="no zone"):
        write(datetime(2026, 5, 1))  # noqa: DTZ001  that it is naive is the point


@pytest.mark.parametrize("value", [10**18, "99999999999999999", -(10**17)])
def test_times_beyond_the_calendar_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="epoch milliseconds"):
        read_instant(value)


def test_zero_means_not_known_yet_where_the_service_says_so() -> None:
    assert read_positive_number("0") is None
    assert read_positive_number(0) is None
    assert read_positive_number("0.5") == 0.5
    assert read_instant("0") is None


def test_tags_are_texts() -> None:
    assert read_tags(["a", " b ", None, "null", 7]) == ("a", "b", "7")
    with pytest.raises(ValueError, match="not a list"):
        read_tags("a,b")
    with pytest.raises(ValueError, match="not a text"):
        read_tags([{"tag": "a"}])
