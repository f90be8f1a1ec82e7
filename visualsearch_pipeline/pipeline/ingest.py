"""From a source to queued uploads: look, wait until files hold still, probe, hash, bind to content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from visualsearch_pipeline import media
from visualsearch_pipeline.ledger import Content, Item, ItemState, Sighting
from visualsearch_pipeline.media import (
    FileChanged,
    FileVanished,
    InspectedMedia,
    InvalidPattern,
    MediaRejected,
    SourceUnavailable,
)
from visualsearch_pipeline.pipeline.errors import SourceProblem
from visualsearch_pipeline.pipeline.import_source import look_at_imports
from visualsearch_pipeline.pipeline.pipeline import Pipeline, TimeBox
from visualsearch_pipeline.pipeline.progress import increments
from visualsearch_pipeline.pipeline.sightings import has_changed, is_due, sighting_of, source_file
from visualsearch_pipeline.pipeline.source_listing import SourceListing, list_source
from visualsearch_pipeline.pipeline.upload_marks import upload_name
from visualsearch_pipeline.pipeline.url_source import look_at_urls

_SIGHTINGS_PER_LOOK: Final = 20_000
"""So many new files are kept within seconds."""


@dataclass(frozen=True)
class SourceReport:
    """What a look at the source found.

    `problems` are parts of the source that could not be read: what lies there is neither known nor forgotten.
    `is_whole` says whether the look saw all files and kept all that are new; `position` where the next goes on, None if
    it begins anew; `links_left_out` whether there are linked folders that only a whole look enters.
    """

    files: int
    new: int
    changed: int
    gone: int
    settling: int
    skipped: int
    problems: tuple[str, ...]
    urls: int = 0
    new_urls: int = 0
    imports_queued: int = 0
    is_whole: bool = True
    position: str | None = None
    links_left_out: bool = False


@dataclass(frozen=True)
class IngestReport:
    """What became of the items that were looked into. `bytes_hashed` counts those that were accepted."""

    accepted: int
    duplicates: int
    refused: int
    bytes_hashed: int


def look_at_source(pipeline: Pipeline, *, after: str | None = None, time_box: TimeBox | None = None) -> SourceReport:
    """List the source and keep in the ledger what is new, changed, settled or gone. No footage is opened.

    The source is the folder, the list of URLs and the file of imports, as far as the settings name them.

    An item's day is fixed when it is first seen (design: partitions are days). A file younger than
    `source.settle_seconds` is left alone until two looks agree about its size and time.

    Args:
        pipeline: the run.
        after: where an earlier look stopped: its `position`.
        time_box: for a look that comes again and again: no more is listed once its time is up, and no more than some
            thousands of new files are kept. The next look goes on from there. What is gone is noticed in the part that
            a look has seen.

    Raises:
        SourceProblem: the source as a whole cannot be listed. Nothing is marked as gone then.
    """
    source = pipeline.settings.source
    found = SourceListing()
    try:
        if source.path is not None:
            found = list_source(pipeline, source.path, after=after, time_box=time_box)
    except (SourceUnavailable, InvalidPattern) as error:
        raise SourceProblem(str(error)) from error
    now = pipeline.now()
    known = pipeline.ledger.items.all_by_uri()
    sightings: list[Sighting] = []
    to_inspect: list[str] = []
    counts = {"new": 0, "changed": 0}
    for file in found.files:
        before = known.get(file.uri)
        if before is None or has_changed(file, before):
            counts["new" if before is None else "changed"] += 1
            sightings.append(sighting_of(file, before, source, now=now))
            if time_box is not None and len(sightings) >= _SIGHTINGS_PER_LOOK:
                found = found.up_to(file)
                break
        elif is_due(file, before, source, now=now):
            to_inspect.append(file.uri)
    seen = {file.uri for file in found.files}
    gone = [
        uri
        for uri, item in known.items()
        if uri not in seen and item.state is not ItemState.GONE and found.covers(item.name)
    ]
    if found.problems:
        gone = []  # what was not listed is not known to have left
    pipeline.ledger.items.record_sightings(sightings, gone=gone, seen_at=now)
    pipeline.ledger.items.settle(to_inspect)
    urls = look_at_urls(pipeline, now=now)
    imports = look_at_imports(pipeline, now=now)
    problems = (*found.problems, *urls.problems, *imports.problems)
    _keep_problems(pipeline, problems, is_whole=found.is_whole, now=now)
    return SourceReport(
        files=len(found.files),
        new=counts["new"],
        changed=counts["changed"],
        gone=len(gone),
        settling=len(pipeline.ledger.items.in_state(ItemState.SETTLING)),
        skipped=len(pipeline.ledger.items.in_state(ItemState.SKIPPED)),
        problems=tuple(f"{problem.uri}: {problem.reason}" for problem in problems),
        urls=urls.urls,
        new_urls=urls.new,
        imports_queued=imports.queued,
        is_whole=found.is_whole,
        position=found.position,
        links_left_out=bool(found.linked) and not found.is_whole,
    )


def ingest(pipeline: Pipeline, *, days: Sequence[date] | None = None, max_items: int | None = None) -> IngestReport:
    """Probe and hash the settled items of `days` (all days if None), at most `max_items`; queue new content for upload.

    What the service would refuse is set aside with its reason; a file that cannot be read now is tried again the next
    time. One item never stops the others.
    """
    items = pipeline.ledger.items
    pending = (*items.in_state(ItemState.FOUND, days=days), *items.refused_for_a_passing_reason(days=days))
    pending = pending[:max_items]
    accepted = duplicates = refused = bytes_hashed = 0
    total = sum(item.size_bytes for item in pending)
    with pipeline.progress.task("looking into media", total=total, unit="bytes") as task:
        for item in pending:
            try:
                inspected = media.inspect(
                    source_file(item), storage_options=pipeline.storage_options, on_progress=increments(task)
                )
            except MediaRejected as error:
                refused += 1
                items.record_refused(
                    item.uri, reason=error.message, retryable=error.reason.mended_in_place, at=pipeline.now()
                )
            except FileChanged as error:
                items.settle([item.uri], state=ItemState.SETTLING, reason=str(error))
            except FileVanished:
                items.record_sightings([], gone=[item.uri], seen_at=pipeline.now())
            else:
                content = _content(item, inspected)
                name = upload_name(content.name, sha256=content.sha256)
                is_new = items.record_accepted(item.uri, content=content, upload_name=name, at=pipeline.now())
                accepted += is_new
                duplicates += not is_new
                bytes_hashed += inspected.content.size_bytes
    return IngestReport(accepted=accepted, duplicates=duplicates, refused=refused, bytes_hashed=bytes_hashed)


def _keep_problems(
    pipeline: Pipeline, problems: Sequence[media.DiscoveryProblem], *, is_whole: bool, now: datetime
) -> None:
    failures = pipeline.ledger.failures
    standing = {problem.uri for problem in problems}
    for failure in failures.unresolved(step="source"):
        # Who has seen a part only does not know that another part can be read again.
        if is_whole and failure.subject not in standing:
            failures.resolve(subject=failure.subject, at=now, steps=("source",))
    for problem in problems:
        failures.record("source", subject=problem.uri, day=None, reason=problem.reason, retryable=True, at=now)


def _content(item: Item, inspected: InspectedMedia) -> Content:
    info = inspected.info
    return Content(
        sha256=inspected.content.sha256,
        day=item.day,
        uri=item.uri,
        name=item.name,
        size_bytes=inspected.content.size_bytes,
        container=info.container,
        video_codec=info.video_codec,
        duration_seconds=info.duration_seconds,
        width=info.width,
        height=info.height,
        fps=info.fps,
        has_audio=info.has_audio,
        captured_at=info.captured_at,
        camera_model=info.camera_model,
        latitude=info.latitude,
        longitude=info.longitude,
    )
