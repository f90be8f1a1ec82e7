"""How far each saved query is: what it asks, of how many videos, and what it asked before it was changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from visualsearch_pipeline.ledger import Coverage, KnownVersion, QueryRecord, Question
from visualsearch_pipeline.located_yaml import nearest_word
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.image_search import image_questions
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.public_search import day_of_asking, public_questions
from visualsearch_pipeline.pipeline.search import query_record, questions_of
from visualsearch_pipeline.queries import ImageLibraryQuery, PublicQuery, QuerySet, SavedQuery


class NoSuchQuery(PipelineError):  # noqa: N818  says what happened, as in `visualsearch_pipeline.api.errors`
    """No query set, or no query of it, has this name."""


@dataclass(frozen=True)
class QueryStatus:
    """One version of a saved query.

    Attributes:
        query_id: Its id in the set.
        query_version: Hash of what it asks.
        kind: See the table `queries`.
        asks: What it asks, in one line.
        definition: All that it asks, as JSON.
        is_current: Whether the file asks it today.
        retired_at: When it was changed or removed.
        answered: Videos, or images, that it was answered about; of the public library, days on which it was asked.
        open: Ready videos, or images, that it concerns and was not answered about; of the public library 1 if it was
            not asked today. None for versions that are not asked any more.
        hits: What it found.
        truncated: Those of which the service may hold more hits than it can be made to give.
        last_searched_at: When it got its last answer.
    """

    query_id: str
    query_version: str
    kind: str
    asks: str
    definition: str
    is_current: bool
    retired_at: datetime | None
    answered: int
    open: int | None
    hits: int
    truncated: int
    last_searched_at: datetime | None


def query_statuses(pipeline: Pipeline, name: str) -> tuple[QueryStatus, ...]:
    """What a query set, or one query of it, comes to: the current queries first, then earlier versions. No call.

    Args:
        pipeline: The run.
        name: `street`, or `street.red_truck`.

    Raises:
        NoSuchQuery: there is none of that name; the message has the nearest that there is, or the mistakes in its file.
    """
    set_name, _, query_id = name.partition(".")
    query_set = _find_set(pipeline, set_name)
    ledger = pipeline.ledger.searches
    coverage = (
        *ledger.coverage_of(set_name),
        *pipeline.ledger.image_searches.coverage_of(set_name),
        *pipeline.ledger.public_searches.coverage_of(set_name),
    )
    known = [version for version in ledger.versions(set_name) if query_id in ("", version.query_id)]
    current = [pair for pair in _questions(query_set) if query_id in ("", pair[0].id)]
    if not current and not known:
        ids = [query.id for query in query_set.queries]
        hint = nearest_word(query_id, ids) or f"it has: {', '.join(ids)}"
        raise NoSuchQuery(f"the query set {set_name} has no query {query_id!r}; {hint}")
    order = {query.id: place for place, query in enumerate(query_set.queries)}
    statuses = [
        _status(
            query_record(query_set, query), coverage, open_count=_open_count(pipeline, query, question), retired_at=None
        )
        for query, question in sorted(current, key=lambda pair: order[pair[0].id])
    ]
    asked_today = {(question.query_id, question.query_version) for _, question in current}
    earlier = [version for version in known if (version.query_id, version.query_version) not in asked_today]
    return (
        *statuses,
        *(_status(version, coverage, open_count=None, retired_at=version.retired_at) for version in earlier),
    )


def _questions(query_set: QuerySet) -> tuple[tuple[SavedQuery, Question], ...]:
    return (*questions_of(query_set), *image_questions(query_set), *public_questions(query_set))


def _open_count(pipeline: Pipeline, query: SavedQuery, question: Question) -> int:
    ledger = pipeline.ledger
    if isinstance(query, ImageLibraryQuery):
        return len(ledger.image_searches.unanswered(question, uploaded_before=pipeline.now()))
    if isinstance(query, PublicQuery):
        return int(not ledger.public_searches.is_answered(question, day=day_of_asking(pipeline)))
    return ledger.searches.count_unanswered(question)


def _find_set(pipeline: Pipeline, name: str) -> QuerySet:
    catalog = pipeline.catalog
    for query_set in catalog.sets:
        if query_set.name == name:
            return query_set
    for broken in catalog.broken:
        if broken.name == name:
            raise NoSuchQuery(f"the query set {name} cannot be read:\n{broken}")
    names = [query_set.name for query_set in catalog.sets]
    hint = nearest_word(name, names) or (f"there are: {', '.join(names)}" if names else catalog.note)
    raise NoSuchQuery(f"{pipeline.settings.queries} has no query set {name!r}; {hint}")


def _status(
    record: QueryRecord | KnownVersion,
    coverage: Sequence[Coverage],
    *,
    open_count: int | None,
    retired_at: datetime | None,
) -> QueryStatus:
    named = (record.query_id, record.query_version)
    covered = next((found for found in coverage if (found.query_id, found.query_version) == named), None)
    return QueryStatus(
        query_id=record.query_id,
        query_version=record.query_version,
        kind=record.kind,
        asks=record.asks,
        definition=json.dumps(record.definition, ensure_ascii=False, sort_keys=True),
        is_current=open_count is not None,
        retired_at=retired_at,
        answered=covered.videos if covered else 0,
        open=open_count,
        hits=covered.hits if covered else 0,
        truncated=covered.truncated if covered else 0,
        last_searched_at=covered.last_searched_at if covered else None,
    )
