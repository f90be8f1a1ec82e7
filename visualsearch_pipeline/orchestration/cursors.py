"""What a sensor remembers from one tick to the next: typed, with a version, and small."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final, Literal

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class Asked(BaseModel):
    """What was last requested for a day.

    Attributes:
        work: What there was to do, in words that differ when other work comes.
        progress: How much of the day was done by then; it grows.
        times: How often the same work was requested without anything having moved.
        at: When it was last requested.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    work: tuple[str, ...]
    progress: int
    times: int
    at: datetime


class SensorCursor(BaseModel):
    """The cursor of a sensor that requests days.

    Attributes:
        version: Of this format.
        looked_at: When the last tick ended.
        asked: Per lane and day with work left, what was requested. Days without work are forgotten.
        position: Where the next tick goes on with what the last one had no time for; None at the beginning.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[2] = 2
    looked_at: datetime | None = None
    asked: dict[str, dict[date, Asked]] = {}
    position: str | None = None


class _FirstCursor(BaseModel):
    """What the first version left: nothing that is needed."""

    version: Literal[1]


def read_cursor(text: str | None, *, sensor: str) -> SensorCursor:
    """The cursor that a sensor left, or a new one if it has left none.

    Raises:
        dagster.Failure: it is of another version or no cursor of ours. Nothing is guessed: the tick fails.
    """
    if not text:
        return SensorCursor()
    try:
        left = _Left.validate_json(text)
    except ValidationError as error:
        raise dg.Failure(
            description=(
                f"The cursor of the sensor {sensor} cannot be read: it was left by another version of this package. "
                "Nothing is lost by removing it, since the state of all files is in the ledger: choose `Reset cursor` "
                f"or `Edit cursor` on the sensor's page and leave it empty. What stands there: {text[:200]}"
            ),
            allow_retries=False,
        ) from error
    return left if isinstance(left, SensorCursor) else SensorCursor()


_Left: Final[TypeAdapter[SensorCursor | _FirstCursor]] = TypeAdapter(
    Annotated[SensorCursor | _FirstCursor, Field(discriminator="version")]
)
