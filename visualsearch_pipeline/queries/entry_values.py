"""What single keys in a file of saved queries may hold: ids, shares, times, places, videos to look within."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
)

from visualsearch_pipeline.api.limits import MAX_CAMERA_MODEL_CHARACTERS, MAX_TOP_K
from visualsearch_pipeline.queries.names import name_problem


def _check_id(value: str) -> str:
    if problem := name_problem(value):
        raise ValueError(problem)
    return value


def _to_utc(value: object) -> datetime:
    """A date or a time as text, as `read_yaml` leaves them; without a zone it means UTC (contract §1.7)."""
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be a date or a time, such as 2026-01-31 or 2026-01-31 18:30:00") from None
    aware = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    # The service's filter has whole seconds.
    return aware.replace(microsecond=0)


def _kind_of_within(value: object) -> str | None:
    """Which of the three forms is meant, so that a mistake in one is not answered with the words of all three."""
    if isinstance(value, str):
        return "day"
    if isinstance(value, list | tuple):
        return "list"
    return "hit videos" if isinstance(value, dict | HitVideosEntry) else None


def _check_within(value: object) -> object:
    if value != "day" and _kind_of_within(value) in (None, "day"):
        raise ValueError("must be `day`, `{query: <id>}` or a list of video numbers")
    if isinstance(value, list):
        if not value:
            raise ValueError("lists no video; name some, or leave `within` out to look in each video of the day")
        for video_no in value:
            if not isinstance(video_no, str) or not video_no.strip():
                raise ValueError(f"lists {video_no!r}, which is not a video number such as VI568102998803353600")
    return value


class Entry(BaseModel):
    """What every part of a file has in common: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_ID_PATTERN: Final = r"^([a-z]|\{[a-z][a-z0-9_]*\})([a-z0-9_]|\{[a-z][a-z0-9_]*\})*$"
_TIME_PATTERN: Final = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"

Words: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Identifier: TypeAlias = Annotated[
    str, AfterValidator(_check_id), WithJsonSchema({"type": "string", "pattern": _ID_PATTERN})
]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1, strict=True)]
Camera: TypeAlias = Annotated[Words, StringConstraints(max_length=MAX_CAMERA_MODEL_CHARACTERS)]
Moment: TypeAlias = Annotated[
    datetime, BeforeValidator(_to_utc), WithJsonSchema({"type": "string", "pattern": _TIME_PATTERN})
]
MostHits: TypeAlias = Annotated[int, Field(ge=1, le=MAX_TOP_K, strict=True)]


class HitVideosEntry(Entry):
    """The videos that another query of the file has hit."""

    query: Identifier = Field(description="The id of a query with text, transcript or image alone.")


Within: TypeAlias = Annotated[
    Annotated[Literal["day"], Tag("day")]
    | Annotated[HitVideosEntry, Tag("hit videos")]
    | Annotated[tuple[Words, ...], Tag("list")],
    Discriminator(_kind_of_within),
    BeforeValidator(_check_within),
]


class PlaceEntry(Entry):
    """A place: the service finds what was filmed within about 20 km of it, and takes both coordinates or neither."""

    latitude: Annotated[float, Field(ge=-90, le=90, strict=True)] = Field(description="Degrees north.")
    longitude: Annotated[float, Field(ge=-180, le=180, strict=True)] = Field(description="Degrees east.")
