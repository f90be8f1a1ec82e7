"""What is left to do, by day: the one place that decides it, for sensors, the command line and the status page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from visualsearch_pipeline.ledger import ImportState, ItemState
from visualsearch_pipeline.pipeline.image_search import image_questions, searchable_before
from visualsearch_pipeline.pipeline.images import pending_image_days
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.public_search import day_of_asking, unasked_today
from visualsearch_pipeline.pipeline.search import questions_of


@dataclass(frozen=True)
class PendingWork:
    """Days with work, per step, oldest first. `hits` is by query set."""

    media: tuple[date, ...]
    uploads: tuple[date, ...]
    videos: tuple[date, ...]
    hits: dict[str, tuple[date, ...]]
    transcripts: tuple[date, ...]
    captions: tuple[date, ...]
    archive: tuple[date, ...]
    imports: tuple[date, ...] = ()
    images: tuple[date, ...] = ()
    scheduled: frozenset[str] = frozenset()
    """Query sets that are asked when the schedule in their file says."""

    @property
    def unscheduled(self) -> PendingWork:
        """The same without the query sets that have a schedule: what sensors and the daily schedule may ask for."""
        return replace(self, hits={name: days for name, days in self.hits.items() if name not in self.scheduled})

    @property
    def after_indexing(self) -> tuple[date, ...]:
        """Days with something to be asked or fetched of ready videos."""
        return _days(*self.hits.values(), self.transcripts, self.captions, self.archive)

    @property
    def to_do(self) -> tuple[date, ...]:
        """Days with work that a run can do now."""
        return _days(self.media, self.uploads, self.imports, self.images, self.videos, self.after_indexing)


def pending_work(pipeline: Pipeline) -> PendingWork:
    """Read from the ledger what is left to do. No call, no look at the source."""
    ledger = pipeline.ledger
    archive = pipeline.settings.archive
    return PendingWork(
        media=_days(
            (item.day for item in ledger.items.in_state(ItemState.FOUND)),
            (item.day for item in ledger.items.refused_for_a_passing_reason()),
        ),
        uploads=_days(
            (upload.day for upload in ledger.uploads.open()), (upload.day for upload in ledger.url_uploads.open())
        ),
        imports=_days(
            (task.day for task in ledger.imports.in_state(ImportState.PENDING, ImportState.STARTING)),
            (task.day for task in ledger.imports.open()),
        )
        if pipeline.settings.imports
        else (),
        videos=_days(video.day for video in ledger.videos.open()),
        images=pending_image_days(pipeline),
        hits=_pending_hits(pipeline),
        scheduled=frozenset(one.name for one in pipeline.catalog.sets if one.schedule is not None),
        transcripts=_days(video.day for video in ledger.fetches.without_transcription("transcripts")),
        captions=_days(video.day for video in ledger.fetches.without_transcription("captions")),
        archive=_days(
            (video.day for video in (ledger.fetches.unarchived_videos() if archive.videos else ())),
            (wanted.day for wanted in (ledger.fetches.wanted() if archive.keyframes else ())),
        ),
    )


def _pending_hits(pipeline: Pipeline) -> dict[str, tuple[date, ...]]:
    searches, images = pipeline.ledger.searches, pipeline.ledger.image_searches
    before = searchable_before(pipeline)
    return {
        query_set.name: _days(
            searches.unanswered_days(question for _, question in questions_of(query_set)),
            images.unanswered_days((question for _, question in image_questions(query_set)), uploaded_before=before),
            # Only today can be asked of the public library.
            (day_of_asking(pipeline),) if unasked_today(pipeline, query_set) else (),
        )
        for query_set in pipeline.catalog.sets
    }


def _days(*groups: Iterable[date]) -> tuple[date, ...]:
    return tuple(sorted({day for group in groups for day in group}))
