"""What a look at the source means for one file: whether it changed, holds still, and to which day it belongs.

The same for footage and for images: a file is looked into once it has settled, and its day is fixed when it is first
seen.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import PurePosixPath

from visualsearch_pipeline import media
from visualsearch_pipeline.ledger import Item, ItemState, Sighting
from visualsearch_pipeline.media import InvalidPattern, SourceFile
from visualsearch_pipeline.pipeline.errors import SourceProblem
from visualsearch_pipeline.settings import SourceSettings


def source_file(item: Item) -> SourceFile:
    """The file of the source that an item is, as it was last listed."""
    return SourceFile(
        uri=item.uri,
        relative_path=item.name,
        name=PurePosixPath(item.name).name,
        size_bytes=item.size_bytes,
        modified_at=item.modified_at,
        etag=item.etag,
    )


def has_changed(file: SourceFile, item: Item) -> bool:
    """Whether a listed file differs from what the ledger has of it, or is there again after it was gone."""
    differs = (file.size_bytes, file.modified_at, file.etag) != (item.size_bytes, item.modified_at, item.etag)
    return differs or item.state is ItemState.GONE


def is_due(file: SourceFile, item: Item, source: SourceSettings, *, now: datetime) -> bool:
    """Whether an unchanged file can be looked into now and could not before."""
    if item.state is ItemState.SETTLING:
        return _is_settled(file, item, source, now=now)
    return item.state is ItemState.SKIPPED and item.day >= source.start_date


def sighting_of(file: SourceFile, before: Item | None, source: SourceSettings, *, now: datetime) -> Sighting:
    """What the ledger is to keep of a file that is new or changed.

    Raises:
        SourceProblem: `source.partition_by` cannot be used.
    """
    day = before.day if before else _first_day(file, source, now=now)
    state, reason = ItemState.SETTLING, None
    if day < source.start_date:
        state = ItemState.SKIPPED
        reason = (
            f"its day {day} is before source.start_date {source.start_date}; set an earlier start_date to include it"
        )
    elif _is_settled(file, before, source, now=now):
        state = ItemState.FOUND
    return Sighting(
        uri=file.uri,
        name=file.relative_path,
        day=day,
        state=state,
        size_bytes=file.size_bytes,
        modified_at=file.modified_at,
        etag=file.etag,
        reason=reason,
    )


def _first_day(file: SourceFile, source: SourceSettings, *, now: datetime) -> date:
    try:
        return media.day_of(file, partition_by=source.partition_by, seen_at=now).day
    except InvalidPattern as error:
        raise SourceProblem(f"`source.partition_by`: {error}") from error


def _is_settled(file: SourceFile, before: Item | None, source: SourceSettings, *, now: datetime) -> bool:
    previous = media.Sighting(before.size_bytes, before.modified_at, before.changed_at) if before else None
    return media.is_settled(file, previous=previous, seen_at=now, settle_seconds=source.settle_seconds)
