"""From what the service sends to what Python means: the only place where its spellings are known (contract §1.6-1.8).

The service sends numbers as numbers or as strings, absent values as nothing, as null or as the string "null", and times
as epoch milliseconds. Each function here raises ValueError with a sentence on what it cannot read, so that it serves as
a pydantic validator: pydantic takes a TypeError for a fault in the validator itself.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator

from visualsearch_pipeline.api.errors import InvalidInput

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGER: Final = re.compile(r"[+-]?\d{1,19}(?:\.0*)?", re.ASCII)
_EXACT_FLOAT: Final = 2**53


def is_absent(value: object) -> bool:
    """Tell whether the service means "no value": nothing, null, "" or "null" (contract §1.7)."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "null"))


def read_text(value: object) -> str | None:
    """Read a text, trimmed, or None."""
    if is_absent(value):
        return None
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"not a text: {value!r}")


def read_identifier(value: object) -> str | None:
    """Read an id as a string, exactly: ids go beyond what a float holds (contract §1.6), so a float is refused."""
    if is_absent(value):
        return None
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"not an id: {value!r}")


def read_integer(value: object) -> int | None:
    """Read a whole number sent as a number or a string, or None. Integers of any size stay exact."""
    if is_absent(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_FLOAT:
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value.strip().partition(".")[0])
    raise ValueError(f"not a whole number: {value!r}")


def read_number(value: object) -> float | None:
    """Read a finite number sent as a number or a string, or None."""
    if is_absent(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"not a number: {value!r}")  # noqa: TRY004  see above
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"not a number: {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"not a finite number: {value!r}")
    return number


def read_positive_number(value: object) -> float | None:
    """Read a number for which the service sends 0 as long as it does not know, such as a duration (contract §2.6)."""
    number = read_number(value)
    return number if number else None


def read_positive_integer(value: object) -> int | None:
    """Read a whole number for which 0 means "not known yet"."""
    integer = read_integer(value)
    return integer if integer else None


def read_instant(value: object) -> datetime | None:
    """Read epoch milliseconds as an aware UTC time, exact to the millisecond; 0 and absent are None.

    A time that is one already stays as it is, so that models can be made from their own values.
    """
    if isinstance(value, datetime):
        return _aware(value)
    milliseconds = read_integer(value)
    if not milliseconds:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise ValueError(f"not a time in epoch milliseconds: {value!r}") from None


def read_tags(value: object) -> tuple[str, ...]:
    """Read a list of tags, or nothing at all as no tags."""
    if is_absent(value):
        return ()
    if not isinstance(value, list | tuple):
        raise ValueError(f"not a list of tags: {value!r}")  # noqa: TRY004  see above
    return tuple(tag for item in value if (tag := read_text(item)) is not None)


def to_epoch_milliseconds(moment: datetime) -> int:
    """Write an aware time as the epoch milliseconds that `list_videos` takes (contract §9.47).

    Raises:
        InvalidInput: The time has no zone.
    """
    return (_aware(moment) - _EPOCH) // timedelta(milliseconds=1)


def to_service_time(moment: datetime) -> str:
    """Write an aware time as the `yyyy-MM-dd HH:mm:ss` in UTC that uploads and searches take (contract §1.7, §9.47).

    Raises:
        InvalidInput: The time has no zone.
    """
    # isoformat, because strftime does not pad the years before 1000 on every platform.
    return _aware(moment).astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat(sep=" ")


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InvalidInput(f"The time {moment.isoformat()} has no zone; give an aware one, the service counts in UTC.")
    return moment


OptionalText = Annotated[str | None, BeforeValidator(read_text)]
Identifier = Annotated[str, BeforeValidator(read_identifier)]
OptionalInteger = Annotated[int | None, BeforeValidator(read_integer)]
OptionalNumber = Annotated[float | None, BeforeValidator(read_number)]
PositiveOrUnknown = Annotated[float | None, BeforeValidator(read_positive_number)]
PositiveIntegerOrUnknown = Annotated[int | None, BeforeValidator(read_positive_integer)]
OptionalInstant = Annotated[datetime | None, BeforeValidator(read_instant)]
