"""What a file of saved queries may say: one pydantic model per kind of query, told apart by the key that is present.

These models know the file's words and nothing else: no image is opened and no other entry is looked at here.
"""

from __future__ import annotations

import difflib
import re
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
)

from visualsearch_pipeline.api.limits import MAX_CAMERA_MODEL_CHARACTERS
from visualsearch_pipeline.queries.models import FilteringLevel, Medium
from visualsearch_pipeline.queries.names import name_problem

KIND_KEYS: Final = ("text", "image", "transcript")
"""The keys that say what a query is; each entry has exactly one of them."""

# Dagster accepts these owners and no others.
_OWNER: Final = re.compile(r"team:.+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")


def _check_id(value: str) -> str:
    if problem := name_problem(value):
        raise ValueError(problem)
    return value


def _check_owner(value: str) -> str:
    if not _OWNER.fullmatch(value):
        raise ValueError(f"`{value}` is no owner: write an e-mail address or `team:<name>`")
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


def _check_within(value: object) -> object:
    if isinstance(value, str) and value != "day":
        raise ValueError("must be `day`, `{query: <id>}` or a list of video numbers")
    if isinstance(value, list):
        if not value:
            raise ValueError("lists no video; name some, or leave `within` out to look in each video of the day")
        for video_no in value:
            if not isinstance(video_no, str) or not video_no.strip():
                raise ValueError(f"lists {video_no!r}, which is not a video number such as VI568102998803353600")
    return value


Words: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Identifier: TypeAlias = Annotated[str, AfterValidator(_check_id)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1, strict=True)]


class Entry(BaseModel):
    """What every part of a file has in common: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlaceEntry(Entry):
    """`near: {latitude: 51.5, longitude: -0.1}`; the service takes both or neither (contract §2.8)."""

    latitude: Annotated[float, Field(ge=-90, le=90, strict=True)]
    longitude: Annotated[float, Field(ge=-180, le=180, strict=True)]


class HitVideosEntry(Entry):
    """`within: {query: logo}`."""

    query: Identifier


class QueryEntry(Entry):
    """The keys that every kind of query has."""

    id: Identifier
    description: Words | None = None
    tags: tuple[Words, ...] = ()


class TextEntry(QueryEntry):
    """A query with the key `text`."""

    text: Words
    medium: Medium = Field("clips", alias="in")
    filtering_level: FilteringLevel | None = None
    min_score: Share | None = None
    tag: Words | None = None
    camera: Annotated[Words, StringConstraints(max_length=MAX_CAMERA_MODEL_CHARACTERS)] | None = None
    taken_after: Annotated[datetime, BeforeValidator(_to_utc)] | None = None
    near: PlaceEntry | None = None


class ImageEntry(QueryEntry):
    """A query with the key `image` and no `prompt`."""

    image: Words
    similarity: Share = 0.85
    min_score: Share | None = None


class ImageInVideoEntry(QueryEntry):
    """A query with the keys `image` and `prompt`."""

    image: Words
    prompt: Words
    within: Annotated[Literal["day"] | HitVideosEntry | tuple[Words, ...], BeforeValidator(_check_within)] = "day"
    min_score: Share | None = None


class TranscriptEntry(QueryEntry):
    """A query with the key `transcript`."""

    transcript: Words


def _kind(value: object) -> str | None:
    if isinstance(value, QueryEntry):
        return type(value).__name__
    if not isinstance(value, dict):
        return None
    if "text" in value:
        return "TextEntry"
    if "transcript" in value:
        return "TranscriptEntry"
    if "image" in value:
        # `within` alone already says which of the two was meant; its missing prompt is then named.
        return "ImageInVideoEntry" if "prompt" in value or "within" in value else "ImageEntry"
    return None


def _check_one_kind(value: object) -> object:
    """Exactly one of the keys that say what a query is, or a message that says so better than a union of models."""
    if not isinstance(value, dict):
        raise ValueError("must be a mapping with an `id` and one of: text, image, transcript")  # noqa: TRY004 - pydantic reports ValueError
    present = [key for key in KIND_KEYS if key in value]
    if len(present) > 1:
        named = " and ".join(f"`{key}`" for key in present)
        raise ValueError(f"asks two things at once: {named}; make it two queries")
    if not present:
        if "prompt" in value:
            raise ValueError("has a `prompt` but no `image` to go with it")
        message = f"asks nothing; a query has one of: {', '.join(KIND_KEYS)}"
        for key in value:
            if nearest := difflib.get_close_matches(str(key), KIND_KEYS, n=1):
                message += f" (did you mean `{nearest[0]}` by `{key}`?)"
        raise ValueError(message)
    return value


AnyQueryEntry: TypeAlias = (
    Annotated[TextEntry, Tag("TextEntry")]
    | Annotated[ImageEntry, Tag("ImageEntry")]
    | Annotated[ImageInVideoEntry, Tag("ImageInVideoEntry")]
    | Annotated[TranscriptEntry, Tag("TranscriptEntry")]
)


def _check_not_empty(entries: tuple[AnyQueryEntry, ...]) -> tuple[AnyQueryEntry, ...]:
    if not entries:
        raise ValueError("is empty; a query set has at least one query")
    return entries


class QuerySetFile(Entry):
    """A whole file of saved queries."""

    description: Words | None = None
    owner: Annotated[str, AfterValidator(_check_owner)] | None = None
    queries: Annotated[
        tuple[Annotated[AnyQueryEntry, Discriminator(_kind), BeforeValidator(_check_one_kind)], ...],
        AfterValidator(_check_not_empty),
    ]
