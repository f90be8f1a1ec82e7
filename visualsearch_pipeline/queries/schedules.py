"""`schedule:` of a query set: when it is asked, where that is not as soon as there is something to ask.

A cron line, which means UTC, or a mapping of `cron` and `timezone`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

_EXAMPLE: Final = "`0 6 * * 1-5` is six o'clock on weekdays"
_FIELDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySchedule:
    """When a query set is asked.

    Attributes:
        cron: Minute, hour, day of the month, month, day of the week.
        timezone: An IANA time zone's name.
    """

    cron: str
    timezone: str = "UTC"


def _check_cron(value: str) -> str:
    if len(value.split()) != _FIELDS:
        raise ValueError(f"must have five fields: minute, hour, day, month, day of the week; {_EXAMPLE}")
    try:
        CronSim(value, datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(f"is no cron line ({str(error).lower()}); {_EXAMPLE}") from None
    return value


def _check_timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{value}` is no time zone; write one such as Europe/Berlin or UTC") from None
    return value


def _check_shape(value: object) -> object:
    if not isinstance(value, str | dict | ScheduleEntry):
        raise ValueError(f"must be a cron line in quotes, or a mapping with `cron` and `timezone`; {_EXAMPLE}")  # noqa: TRY004 - pydantic reports ValueError
    return value


def _form(value: object) -> str:
    return "cron" if isinstance(value, str) else "ScheduleEntry"


Cron: TypeAlias = Annotated[str, AfterValidator(_check_cron)]


class ScheduleEntry(BaseModel):
    """When the set is asked, in a time zone of one's choice."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cron: Cron = Field(description="Minute, hour, day of the month, month, day of the week.")
    timezone: Annotated[str, AfterValidator(_check_timezone)] = Field(
        "UTC", description="An IANA name such as Europe/Berlin."
    )


ScheduleSetting: TypeAlias = Annotated[
    Annotated[Cron, Tag("cron")] | Annotated[ScheduleEntry, Tag("ScheduleEntry")],
    Discriminator(_form),
    BeforeValidator(_check_shape),
]

SCHEDULE_MEANING: Final = "When Dagster asks this set: cron in UTC, or {cron, timezone}. Left out: as work comes up."


def to_schedule(setting: str | ScheduleEntry | None) -> QuerySchedule | None:
    """The schedule that a file asks for, if it does."""
    if setting is None:
        return None
    if isinstance(setting, str):
        return QuerySchedule(cron=setting)
    return QuerySchedule(cron=setting.cron, timezone=setting.timezone)
