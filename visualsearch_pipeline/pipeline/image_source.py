"""From the source to queued images: look, wait until files hold still, decode, hash. No call is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePosixPath

from visualsearch_pipeline import media
from visualsearch_pipeline.ledger import ImageContent, Item, ItemState, Sighting
from visualsearch_pipeline.media import (
    FileChanged,
    FileVanished,
    InspectedImage,
    InvalidPattern,
    MediaRejected,
    SourceFile,
    SourceUnavailable,
)
from visualsearch_pipeline.pipeline.errors import SourceProblem
from visualsearch_pipeline.pipeline.ingest import readable_upload_name
from visualsearch_pipeline.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class ImageIngestReport:
    """What became of the images looked into: `duplicates` have the bytes of another, `set_aside` would be refused."""

    accepted: int = 0
    duplicates: int = 0
    set_aside: int = 0


def look_at_images(pipeline: Pipeline) -> int:
    """List the images of the source and keep in the ledger what is new, changed, settled or gone. No file is opened.

    Returns:
        How many there are; 0 without a look if `source.image_include` names none.

    Raises:
        SourceProblem: the source cannot be listed, or a pattern can mean nothing. Nothing is marked as gone then.
    """
    source, images = pipeline.settings.source, pipeline.ledger.images
    if not source.image_include or source.path is None:
        return 0
    try:
        found = media.discover(
            source.path, include=source.image_include, exclude=source.exclude, storage_options=pipeline.storage_options
        )
    except (SourceUnavailable, InvalidPattern) as error:
        raise SourceProblem(str(error)) from error
    now, known = pipeline.now(), images.items_by_uri()
    sightings: list[Sighting] = []
    settled: list[str] = []
    for file in found.files:
        before = known.get(file.uri)
        if before is None or before.state is ItemState.GONE or _differs(file, before):
            sightings.append(_sighting(pipeline, file, before, now=now))
        elif _is_due(pipeline, file, before, now=now):
            settled.append(file.uri)
    seen = {file.uri for file in found.files}
    # What could not be listed is not known to have left.
    gone = [] if found.problems else [uri for uri, item in known.items() if uri not in seen and _is_there(item)]
    images.record_sightings(sightings, gone=gone, seen_at=now)
    images.settle(settled)
    return len(found.files)


def ingest_images(pipeline: Pipeline, *, days: Sequence[date] | None = None) -> ImageIngestReport:
    """Decode and hash the settled images of `days` (all days if None), and queue new content for upload.

    What the service would refuse is set aside with its reason: one bad file rejects a whole batch (contract §2.3).
    """
    images = pipeline.ledger.images
    pending = images.to_inspect(days=days)
    accepted = duplicates = refused = 0
    with pipeline.progress.task("looking into images", total=len(pending), unit="files") as task:
        for item in pending:
            try:
                inspected = media.inspect_image(source_file(item), storage_options=pipeline.storage_options)
            except MediaRejected as error:
                refused += 1
                passing = error.reason.mended_in_place
                images.record_refused(item.uri, reason=error.message, retryable=passing, at=pipeline.now())
            except FileChanged as error:
                images.settle([item.uri], state=ItemState.SETTLING, reason=str(error))
            except FileVanished:
                images.record_sightings([], gone=[item.uri], seen_at=pipeline.now())
            else:
                is_new = images.record_accepted(item.uri, content=_content(item, inspected), at=pipeline.now())
                accepted += is_new
                duplicates += not is_new
            task.advance()
    return ImageIngestReport(accepted=accepted, duplicates=duplicates, set_aside=refused)


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


def _is_there(item: Item) -> bool:
    return item.state is not ItemState.GONE


def _differs(file: SourceFile, item: Item) -> bool:
    return (file.size_bytes, file.modified_at, file.etag) != (item.size_bytes, item.modified_at, item.etag)


def _is_due(pipeline: Pipeline, file: SourceFile, item: Item, *, now: datetime) -> bool:
    """Whether an unchanged file can be looked into now and could not before."""
    if item.state is ItemState.SETTLING:
        return _is_settled(pipeline, file, item, now=now)
    return item.state is ItemState.SKIPPED and item.day >= pipeline.settings.source.start_date


def _sighting(pipeline: Pipeline, file: SourceFile, before: Item | None, *, now: datetime) -> Sighting:
    source = pipeline.settings.source
    try:
        day = before.day if before else media.day_of(file, partition_by=source.partition_by, seen_at=now).day
    except InvalidPattern as error:
        raise SourceProblem(f"`source.partition_by`: {error}") from error
    state, reason = ItemState.SETTLING, None
    if day < source.start_date:
        state = ItemState.SKIPPED
        reason = f"its day {day} is before source.start_date {source.start_date}; set an earlier one to include it"
    elif _is_settled(pipeline, file, before, now=now):
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


def _is_settled(pipeline: Pipeline, file: SourceFile, before: Item | None, *, now: datetime) -> bool:
    previous = media.Sighting(before.size_bytes, before.modified_at, before.changed_at) if before else None
    rest = pipeline.settings.source.settle_seconds
    return media.is_settled(file, previous=previous, seen_at=now, settle_seconds=rest)


def _content(item: Item, inspected: InspectedImage) -> ImageContent:
    info = inspected.info
    return ImageContent(
        sha256=inspected.sha256,
        day=item.day,
        uri=item.uri,
        name=item.name,
        size_bytes=len(inspected.content),
        format=info.format,
        width=info.width,
        height=info.height,
        captured_at=info.captured_at,
        camera_model=info.camera_model,
        latitude=info.position.latitude if info.position else None,
        longitude=info.position.longitude if info.position else None,
        upload_name=readable_upload_name(item.name, sha256=inspected.sha256),
    )
