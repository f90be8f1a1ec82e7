"""When, where and with what a clip was taken, read from the tags of its container.

The names of the tags are those under which FFmpeg shows them. Apple's and Android's phones and cameras each write their
own; Matroska writes them in capitals, MP4 adds a language (`location-eng`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from visualsearch_pipeline.api.limits import MAX_CAMERA_MODEL_CHARACTERS

# Apple's own tag comes first: it keeps the time zone of the place, and survives edits that reset the other.
_CAPTURE_TIME_TAGS = ("com.apple.quicktime.creationdate", "creation_time", "date_recorded", "date")
_MAKE_TAGS = ("com.apple.quicktime.make", "com.android.manufacturer", "make")
_MODEL_TAGS = ("com.apple.quicktime.model", "com.android.model", "model", "camera_model_name")
_LOCATION_TAGS = ("com.apple.quicktime.location.iso6709", "location", "location-eng", "xyz")

_COORDINATE = r"([+-]\d{1,7}(?:\.\d+)?)"
_ISO_6709 = re.compile(_COORDINATE + _COORDINATE + r"(?:[+-]|CRS|/|$)")


@dataclass(frozen=True, slots=True)
class Position:
    """A place on the earth, in decimal degrees, north and east positive (WGS 84)."""

    latitude: float
    longitude: float


def captured_at(tags: Mapping[str, str]) -> datetime | None:
    """When the clip was taken, in UTC.

    A time without a zone is taken for UTC, as MP4 defines it. Times up to 1970 are the zero of a clock that was never
    set (QuickTime counts from 1904, Unix from 1970) and count as none; so does a bare date.
    """
    for value in _values(tags, _CAPTURE_TIME_TAGS):
        if len(value) <= len("2026-01-05"):
            continue
        try:
            moment = datetime.fromisoformat(value.strip())
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
        if moment.year > 1970:
            return moment
    return None


def camera_model(tags: Mapping[str, str]) -> str | None:
    """Make and model of the camera, at most as long as the service takes it (contract §2.1)."""
    make = next(_values(tags, _MAKE_TAGS), "")
    model = next(_values(tags, _MODEL_TAGS), "")
    named = model if model.casefold().startswith(make.casefold()) else f"{make} {model}"
    printable = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", named).split())
    return printable[:MAX_CAMERA_MODEL_CHARACTERS] or None


def position(tags: Mapping[str, str]) -> Position | None:
    """Where the clip was taken; None also for 0° 0°, which is what cameras write that have no fix."""
    for value in _values(tags, _LOCATION_TAGS):
        found = parse_iso_6709(value)
        if found is not None and (found.latitude, found.longitude) != (0.0, 0.0):
            return found
    return None


def parse_iso_6709(text: str) -> Position | None:
    """A point in the form of ISO 6709, such as `+48.8577+002.2950+035.000/`; altitude and reference system are skipped.

    The number of digits before the decimal point tells degrees (2 and 3), degrees and minutes (4 and 5), and degrees,
    minutes and seconds (6 and 7) for latitude and longitude, as the standard has it.
    """
    match = _ISO_6709.match(text.strip())
    if match is None:
        return None
    latitude = _to_degrees(match[1], degree_digits=2)
    longitude = _to_degrees(match[2], degree_digits=3)
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return Position(latitude, longitude)


def _to_degrees(coordinate: str, *, degree_digits: int) -> float | None:
    sign = -1.0 if coordinate[0] == "-" else 1.0
    whole, point, fraction = coordinate[1:].partition(".")
    last = f"{point}{fraction}"
    if len(whole) <= degree_digits:
        return sign * float(whole + last)
    degrees, rest = whole[:degree_digits], whole[degree_digits:]
    if len(rest) == 2:
        minutes, seconds = float(rest + last), 0.0
    elif len(rest) == 4:
        minutes, seconds = float(rest[:2]), float(rest[2:] + last)
    else:
        return None
    if minutes >= 60 or seconds >= 60:
        return None
    return sign * (float(degrees) + minutes / 60 + seconds / 3600)


def _values(tags: Mapping[str, str], names: tuple[str, ...]) -> Iterator[str]:
    lowered = {name.lower(): value for name, value in tags.items()}
    return (lowered[name] for name in names if lowered.get(name, "").strip())
