"""Where everything stands, for `visualsearch status` and for exit codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from visualsearch_pipeline.ledger import Failure, ImportState, ItemState, VideoState
from visualsearch_pipeline.ledger.schema import archive, coverage, items, transcriptions, uploads, videos
from visualsearch_pipeline.ledger.schema_images import image_coverage, images
from visualsearch_pipeline.ledger.schema_public import public_answers
from visualsearch_pipeline.ledger.schema_sources import import_tasks, url_uploads
from visualsearch_pipeline.pipeline.images import waiting_images
from visualsearch_pipeline.pipeline.pending import PendingWork, pending_work
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.spending import BUDGET_STEP
from visualsearch_pipeline.queries import BrokenQuerySet


@dataclass(frozen=True)
class Status:
    """Counts by state, what is left to do, and what failed.

    `budget_stops` are the steps that a budget refused a call while there is work left.
    `waiting` counts what only time or the service can move on: files still being written, videos being indexed,
    uploads whose fate is open, imports under way.
    """

    items: dict[str, int]
    uploads: dict[str, int]
    videos: dict[str, int]
    archive: dict[str, int]
    pairs_covered: int
    hits: int
    transcripts: int
    captions: int
    spent_usd: float
    pending: PendingWork
    waiting: int
    failures: tuple[Failure, ...]
    budget_stops: tuple[Failure, ...]
    broken_query_sets: tuple[BrokenQuerySet, ...]
    images: Mapping[str, int] = field(default_factory=dict)
    image_pairs: int = 0
    public_answers: int = 0
    urls: dict[str, int] = field(default_factory=dict)
    imports: dict[str, int] = field(default_factory=dict)

    @property
    def has_failures(self) -> bool:
        """Whether anything needs a person."""
        return bool(self.failures or self.broken_query_sets)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return not self.pending.to_do and not self.waiting


def read_status(pipeline: Pipeline) -> Status:
    """Read the status from the ledger and the query files. No call is made."""
    ledger = pipeline.ledger
    videos_by_state = _by_state(ledger.count_by(videos.c.state))
    items_by_state = _by_state(ledger.count_by(items.c.state))
    archived = ledger.count_by(archive.c.kind, archive.c.state)
    transcribed = {str(kind): count for (kind,), count in ledger.count_by(transcriptions.c.kind).items()}
    imports_by_state = _by_state(ledger.count_by(import_tasks.c.state))
    pending = pending_work(pipeline)
    unresolved = ledger.failures.unresolved()
    sums = sa.select(sa.func.count().label("pairs"), sa.func.coalesce(sa.func.sum(coverage.c.hits), 0).label("hits"))
    (answered,) = ledger.rows(sums)
    return Status(
        items=items_by_state,
        uploads=_by_state(ledger.count_by(uploads.c.state)),
        videos=videos_by_state,
        archive={f"{kind} {state}": count for (kind, state), count in archived.items()},
        pairs_covered=int(str(answered["pairs"])),
        hits=int(str(answered["hits"])),
        transcripts=transcribed.get("transcripts", 0),
        captions=transcribed.get("captions", 0),
        spent_usd=ledger.calls.spent_usd(),
        pending=pending,
        waiting=(
            items_by_state.get(ItemState.SETTLING, 0)
            + videos_by_state.get(VideoState.INDEXING, 0)
            + len(ledger.uploads.open())
            + waiting_images(pipeline)
            + len(ledger.url_uploads.open())
            + (imports_by_state.get(ImportState.RUNNING, 0) if pipeline.settings.imports else 0)
        ),
        failures=tuple(failure for failure in unresolved if failure.step != BUDGET_STEP),
        budget_stops=tuple(failure for failure in unresolved if failure.step == BUDGET_STEP and pending.to_do),
        broken_query_sets=pipeline.catalog.broken,
        images=_by_state(ledger.count_by(images.c.state)),
        image_pairs=sum(ledger.count_by(image_coverage.c.truncated).values()),
        public_answers=sum(ledger.count_by(public_answers.c.truncated).values()),
        urls=_by_state(ledger.count_by(url_uploads.c.state)),
        imports=imports_by_state,
    )


def _by_state(counts: dict[tuple[object, ...], int]) -> dict[str, int]:
    return {str(state): count for (state,), count in counts.items()}
