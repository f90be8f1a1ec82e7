"""What is left to do on each day, as the sensors weigh it: counted in SQL, never item by item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Final

import sqlalchemy as sa

from visualsearch_pipeline.ledger import ArchiveState, ItemState, UploadState, VideoState
from visualsearch_pipeline.ledger.schema import archive, coverage, items, transcriptions, uploads, videos
from visualsearch_pipeline.ledger.schema_images import image_coverage
from visualsearch_pipeline.ledger.schema_public import public_answers
from visualsearch_pipeline.ledger.schema_sources import url_uploads
from visualsearch_pipeline.orchestration.requests import DayWork
from visualsearch_pipeline.pipeline.ingest import SourceReport
from visualsearch_pipeline.pipeline.pending import PendingWork
from visualsearch_pipeline.pipeline.pipeline import Pipeline

_TOLD_STATES: Final = (VideoState.READY, VideoState.FAILED, VideoState.STUCK, VideoState.MISSING)
"""A day on which a video comes to one of these is shown anew: `videos` tells of it, and warns."""


def media_work(pipeline: Pipeline, work: PendingWork) -> dict[date, DayWork]:
    """Files to look into. A file that changes is other work; one that is tried again is not."""
    newest = sa.func.max(items.c.changed_at).label("newest")
    select = sa.select(items.c.day, sa.func.count().label("count"), newest).where(items.c.state == ItemState.FOUND)
    found = {
        row["day"]: f"{row['count']} files, newest {row['newest']}"
        for row in pipeline.ledger.rows(select.group_by(items.c.day))
    }
    return {day: DayWork(frozenset({found.get(day, "files that could not be read")})) for day in work.media}


def listing_work(source: SourceReport, pipeline: Pipeline) -> dict[date, DayWork]:
    """Today, if there are linked folders that only a whole look enters, and there was no time for one."""
    return {pipeline.now().date(): DayWork(frozenset({"the source"}))} if source.links_left_out else {}


def upload_work(pipeline: Pipeline, work: PendingWork) -> dict[date, DayWork]:
    """Contents and URLs to send. `progress` counts those that are sent or refused."""
    all_of, done = Counter[date](), Counter[date]()
    for table in (uploads, url_uploads):
        all_of.update(_counts(pipeline, table))
        done.update(_counts(pipeline, table, UploadState.UPLOADED, UploadState.REFUSED))
    return {day: DayWork(frozenset({f"{all_of[day]} contents"}), progress=done[day]) for day in work.uploads}


def result_work(pipeline: Pipeline, work: PendingWork, *, news: Iterable[date]) -> dict[date, DayWork]:
    """Videos to ask about or to fetch something of, and days on which one came to another state just now.

    Args:
        pipeline: the run.
        work: what is left to do.
        news: the days with a video that became ready, failed, got stuck or went missing since the last poll.
    """
    by_state = {state: _counts(pipeline, videos, state) for state in _TOLD_STATES}
    done = Counter[date]()
    for counts in (
        _counts(pipeline, coverage),
        _counts(pipeline, image_coverage),
        _counts(pipeline, public_answers),
        _counts(pipeline, transcriptions),
        _counts(pipeline, archive, ArchiveState.ARCHIVED),
    ):
        done.update(counts)
    names: dict[date, set[str]] = {day: set() for day in (*work.after_indexing, *news)}
    # The archive follows the hits; that it has work is no reason to begin again.
    by_asset = {**work.hits, "transcripts": work.transcripts, "captions": work.captions}
    for asset, days in by_asset.items():
        for day in days:
            names[day].add(asset)
    return {
        day: DayWork(
            frozenset({*of_day, *(f"{counts[day]} {state}" for state, counts in by_state.items())}), progress=done[day]
        )
        for day, of_day in names.items()
    }


def _counts(pipeline: Pipeline, table: sa.Table, *states: str) -> Counter[date]:
    """Rows per day, of some states if any are named."""
    by_day = Counter[date]()
    columns = (table.c.day, table.c.state) if states else (table.c.day,)
    for (day, *state), count in pipeline.ledger.count_by(*columns).items():
        if isinstance(day, date) and (not states or state[0] in states):
            by_day[day] += count
    return by_day
