"""From the source to queued images: look, wait until files hold still, decode, hash. No call is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from visualsearch_pipeline import media
from visualsearch_pipeline.ledger import ImageContent, Item, ItemState, Sighting
from visualsearch_pipeline.media import (
    FileChanged,
    FileVanished,
    InspectedImage,
    InvalidPattern,
    MediaRejected,
    SourceUnavailable,
)
from visualsearch_pipeline.pipeline.errors import SourceProblem
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.sightings import has_changed, is_due, sighting_of, source_file
from visualsearch_pipeline.pipeline.upload_marks import upload_name


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
        if before is None or has_changed(file, before):
            sightings.append(sighting_of(file, before, source, now=now))
        elif is_due(file, before, source, now=now):
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


def _is_there(item: Item) -> bool:
    return item.state is not ItemState.GONE


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
        upload_name=upload_name(item.name, sha256=inspected.sha256),
    )
