"""Asking the texts of a query set about the private images that lack an answer.

`search_images`, `search` and `search_public` take the same arguments, so that whoever runs a query set calls the three
alike. Only that much is common to them: videos are asked in the order in which queries depend on each other and answers
are copied from other sets; images are asked in rounds over all queries; the public library once a day.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TypeAlias

from visualsearch_pipeline.api import FilteringLevel, ImageHit, VisualSearchError
from visualsearch_pipeline.ledger import LibraryImage, Question
from visualsearch_pipeline.pipeline.image_answers import ImageAnswers, identified
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.stopping import stopping_error
from visualsearch_pipeline.pipeline.upload_marks import DAY_TAG_PREFIX, HASH_TAG_PREFIX
from visualsearch_pipeline.queries import (
    IMAGE_TOP_K,
    ImageCall,
    ImageLibrary,
    ImageLibraryQuery,
    ImagesOfBatch,
    ImagesOfDay,
    ImageTarget,
    QuerySet,
    can_split_images,
    plan_images,
    query_version,
    split_images,
    unfinished_images,
)


@dataclass(frozen=True)
class ImageSearchReport:
    """What a query set's run asked about private images.

    Attributes:
        calls: Calls that were answered.
        pairs: (query, image) pairs that got their answer.
        hits: Images that were found.
        truncated: Pairs that may match beyond what the service can be made to give.
        failed: Queries that could not be asked, by id, with the reason.
    """

    calls: int = 0
    pairs: int = 0
    hits: int = 0
    truncated: int = 0
    failed: tuple[tuple[str, str], ...] = ()


@dataclass
class _Asked:
    query: ImageLibraryQuery
    question: Question
    images: dict[str, LibraryImage]
    full: list[ImageCall] = field(default_factory=list)
    failed: str | None = None


_PlannedCall: TypeAlias = tuple[_Asked, ImageCall]


def image_questions(query_set: QuerySet) -> tuple[tuple[ImageLibraryQuery, Question], ...]:
    """Every query of a set about private images, as a question to the ledger."""
    return tuple(
        (query, Question(query_set=query_set.name, query_id=query.id, query_version=query_version(query)))
        for query in query_set.image_library_queries
    )


def searchable_before(pipeline: Pipeline) -> datetime:
    """Images that were uploaded by this moment are searched: there is no status to tell when they can be."""
    return pipeline.now() - timedelta(seconds=pipeline.settings.indexing.image_seconds)


def search_images(
    pipeline: Pipeline,
    query_set: QuerySet,
    *,
    days: Sequence[date] | None = None,
    query_ids: Collection[str] | None = None,
    force: bool = False,
    max_calls: int | None = None,
) -> ImageSearchReport:
    """Ask the image queries of a set about the images of `days` (all days if None) that lack an answer.

    Args:
        pipeline: The run.
        query_set: The set.
        days: The partitions.
        query_ids: Only these queries of the set; all if None.
        force: Ask again what was answered.
        max_calls: Make at most so many calls; what is left stays unanswered.

    Raises:
        ServiceRefuses: the service refuses every call. What was answered before is kept.
        ServiceUnreachable: no connection can be made. Likewise.
        BudgetExceeded: the next call would pass a budget. Likewise.
    """
    chosen = [pair for pair in image_questions(query_set) if query_ids is None or pair[0].id in query_ids]
    if force and days is not None:
        for _, question in chosen:
            pipeline.ledger.image_searches.forget(question, days=days)
    run = _ImageSearchRun(pipeline, query_set.name, ImageAnswers(pipeline, query_set.name), max_calls=max_calls)
    run.ask_all(chosen, days=days)
    return ImageSearchReport(
        calls=run.calls,
        pairs=run.answers.pair_count,
        hits=run.answers.hit_count,
        truncated=run.answers.truncated_count,
        failed=tuple((asked.query.id, asked.failed) for asked in run.queries if asked.failed is not None),
    )


def ask_images(pipeline: Pipeline, call: ImageCall) -> tuple[ImageHit, ...]:
    """Make one call.

    Raises:
        VisualSearchError: the call failed.
        BudgetExceeded: it would pass a budget, and was not made.
    """
    query = call.query
    match call.reach:
        case ImagesOfDay(day):
            tag: str | None = DAY_TAG_PREFIX + day.isoformat()
        case ImagesOfBatch(batch):
            tag = HASH_TAG_PREFIX + batch
        case _:
            tag = query.tag
    what = f"Searching the images for {query.text!r}"
    with pipeline.spending.reserving(what, cost_usd=pipeline.spending.search_usd):
        return pipeline.client.search_images(
            query.text,
            top_k=IMAGE_TOP_K,
            filtering_level=FilteringLevel(query.filtering_level) if query.filtering_level else None,
            tag=tag,
            camera_model=query.camera,
            taken_after=query.taken_after,
            latitude=query.near.latitude if query.near else None,
            longitude=query.near.longitude if query.near else None,
        )


@dataclass
class _ImageSearchRun:
    """Calls go out in rounds over all queries; what a round left full is asked for in parts in the next."""

    pipeline: Pipeline
    query_set: str
    answers: ImageAnswers
    max_calls: int | None = None
    calls: int = 0
    queries: list[_Asked] = field(default_factory=list)
    library_images: tuple[LibraryImage, ...] = ()

    def ask_all(self, chosen: Sequence[tuple[ImageLibraryQuery, Question]], *, days: Sequence[date] | None) -> None:
        if not chosen:
            return
        pipeline = self.pipeline
        before, time_box = searchable_before(pipeline), pipeline.time_box()
        self.library_images = pipeline.ledger.image_searches.searchable(uploaded_before=before)
        library = ImageLibrary(count_by_day=pipeline.ledger.image_searches.count_by_day(uploaded_before=before))
        round_: list[_PlannedCall] = []
        for query, question in chosen:
            images = pipeline.ledger.image_searches.unanswered(question, uploaded_before=before, days=days)
            asked = _Asked(query, question, {image.image_id: image for image in images})
            targets = [image_target(image) for image in images]
            planned = plan_images(query, targets, library)
            self.queries += [asked] if planned else []
            round_ += [(asked, call) for call in planned]
        with pipeline.progress.task(f"searching images for {self.query_set}", total=len(round_), unit="calls") as task:
            try:
                while round_:
                    for asked, call in round_:
                        # A step that finds its time over still finishes something, or it would begin anew for ever.
                        if (time_box.is_over and self.calls) or self.calls == self.max_calls:
                            return
                        self._ask(asked, call)
                        task.advance()
                    round_ = [(asked, call) for asked in self.queries for call in self._split(asked)]
            finally:
                # Whatever stops us, answers that are complete were paid for and are kept.
                self.answers.commit()

    def _ask(self, asked: _Asked, call: ImageCall) -> None:
        if asked.failed is not None:
            return
        subject = f"{self.query_set}.{asked.query.id}"
        failures = self.pipeline.ledger.failures
        try:
            found = identified(ask_images(self.pipeline, call), self.library_images)
        except VisualSearchError as error:
            stops = stopping_error(self.pipeline, error)
            if stops is not None:
                raise stops from error
            asked.failed, at = str(error), self.pipeline.now()
            failures.record("hits", subject=subject, day=None, reason=asked.failed, retryable=True, at=at)
            return
        self.calls += 1
        unfinished = {
            target.image_id for target in unfinished_images(call, [(hit.image_id, hit.score) for hit in found])
        }
        to_split = unfinished if can_split_images(call) else set()
        if to_split:
            left = tuple(target for target in call.targets if target.image_id in to_split)
            asked.full.append(replace(call, targets=left))
        final = [asked.images[target.image_id] for target in call.targets if target.image_id not in to_split]
        self.answers.keep(found, asked.query, asked.question, final, truncated=unfinished)
        failures.resolve(subject=subject, at=self.pipeline.now(), steps=("hits",))

    def _split(self, asked: _Asked) -> tuple[ImageCall, ...]:
        full, asked.full = asked.full, []
        return split_images(full) if asked.failed is None else ()


def image_target(image: LibraryImage) -> ImageTarget:
    """What the planner needs to know of an image; one that was adopted alone is reached by its own tag."""
    return ImageTarget(image_id=image.image_id, day=image.day, batch=image.batch or image.sha256)
