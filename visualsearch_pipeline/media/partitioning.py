"""The day of a media item: the partition it belongs to, fixed when the item is first seen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, TypeAlias

from visualsearch_pipeline.media.errors import InvalidPattern
from visualsearch_pipeline.media.source_file import SourceFile

DaySource: TypeAlias = Literal["path", "modified", "arrival"]
"""What a day was read from: the path, the modification time, or the time of the first sighting."""

_DIRECTIVES = {"%Y": r"(?P<year>\d{4})", "%m": r"(?P<month>\d{2})", "%d": r"(?P<day>\d{2})", "%%": "%"}


@dataclass(frozen=True, slots=True)
class ItemDay:
    """The day of an item and where it comes from.

    Attributes:
        day: A UTC date, never after the day of arrival.
        source: What it was read from.
        note: Why it is not what `partition_by` asks for; None when it is.
    """

    day: date
    source: DaySource
    note: str | None = None


@dataclass(frozen=True, slots=True)
class PathDate:
    """A date pattern such as `%Y/%m/%d` or `cam_%Y%m%d`, to be found anywhere in a relative path.

    `%Y`, `%m` and `%d` stand for four, two and two digits, `%%` for a percent sign, everything else for itself. Digits
    next to the date are not part of it: `%Y%m%d` is not found in `IMG_120260105`. Of several dates the last one counts,
    since it stands closest to the file.

    Example:
        >>> PathDate.parse("%Y/%m/%d").find("gate/2026/01/05/clip.mp4")
        datetime.date(2026, 1, 5)
    """

    pattern: str
    _regex: re.Pattern[str]

    @classmethod
    def parse(cls, pattern: str) -> PathDate:
        """Check and compile a date pattern.

        Raises:
            InvalidPattern: A directive is unknown, or year, month and day are not there once each.
        """
        parts = re.findall(r"%.?|[^%]+", pattern, re.DOTALL)
        directives = [part for part in parts if part.startswith("%")]
        unknown = sorted(set(directives) - _DIRECTIVES.keys())
        if unknown:
            raise InvalidPattern(pattern, problem=f"{', '.join(unknown)} is not known here; use %Y, %m, %d and %%.")
        if sorted(part for part in directives if part != "%%") != ["%Y", "%d", "%m"]:
            problem = "`partition_by` is `modified`, `arrival`, or a date pattern with %Y, %m and %d once each."
            raise InvalidPattern(pattern, problem=problem)
        regex = "".join(_DIRECTIVES.get(part) or re.escape(part) for part in parts)
        return cls(pattern, re.compile(rf"(?=(?<!\d){regex}(?!\d))"))

    def find(self, relative_path: str) -> date | None:
        """The date in a path; None if there is none, or only such as no calendar has."""
        dates = (_date_of(match) for match in self._regex.finditer(relative_path))
        return next((day for day in reversed(list(dates)) if day is not None), None)


def day_of(file: SourceFile, *, partition_by: str, seen_at: datetime) -> ItemDay:
    """The day that a file belongs to.

    What cannot be read from the path is read from the modification time, and what that cannot tell is the day of
    arrival. A day ahead of the arrival is a clock that was wrong: no partition exists for it yet, so the day of arrival
    stands in.

    Args:
        file: As it was discovered.
        partition_by: `modified`, `arrival`, or a date pattern; see `PathDate`.
        seen_at: When the file was first seen.

    Raises:
        InvalidPattern: `partition_by` is none of these.
        ValueError: `seen_at` has no time zone.
    """
    if seen_at.tzinfo is None:
        raise ValueError(f"seen_at must carry a time zone, got {seen_at!r}")
    arrival = seen_at.astimezone(UTC).date()
    if partition_by == "arrival":
        return ItemDay(arrival, "arrival")
    note = None
    day: date | None = None
    source: DaySource = "modified"
    if partition_by != "modified":
        day = PathDate.parse(partition_by).find(file.relative_path)
        source = "path"
        if day is None:
            note, source = f"no date like {partition_by} in the path", "modified"
    if day is None and file.modified_at is not None:
        day = file.modified_at.astimezone(UTC).date()
    if day is None:
        return ItemDay(arrival, "arrival", _joined(note, "the storage tells no modification time"))
    if day > arrival:
        return ItemDay(arrival, "arrival", _joined(note, f"{day} ({source}) is after the arrival on {arrival}"))
    return ItemDay(day, source, note)


def _joined(*notes: str | None) -> str:
    return "; ".join(note for note in notes if note)


def _date_of(match: re.Match[str]) -> date | None:
    try:
        return date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None
