"""Hits whose file was deleted behind our back: their answers are forgotten, so that they are asked again.

Coverage says what was answered, the files hold the answers. Where a file is gone, the pairs that had hits have lost
them; those without hits have lost nothing, and are not asked again.
"""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from visualsearch_pipeline.ledger.schema import coverage
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.warehouse.hit_schemas import HITS

_STEP = "hits"


def forget_lost_hits(pipeline: Pipeline) -> int:
    """Let every pair be asked again whose hits are in no file any more; say how many pairs that are.

    Each loss is a failure of the step `hits`, and is resolved when the day has its file again. Makes no call.

    Raises:
        ParquetFileError: a file lies where none belongs.
    """
    present = {(file.query_set, file.day) for file in pipeline.store.files(HITS.name)}
    hits = sa.func.sum(coverage.c.hits)
    select = sa.select(coverage.c.query_set, coverage.c.day, sa.func.count().label("pairs"), hits.label("hits"))
    select = select.where(coverage.c.hits > 0).group_by(coverage.c.query_set, coverage.c.day)
    lost_subjects: set[str] = set()
    pairs = 0
    for row in pipeline.ledger.rows(select):
        query_set, day = str(row["query_set"]), row["day"]
        if not isinstance(day, date) or (query_set, day) in present:
            continue
        with pipeline.locked(f"hits-{query_set}-{day.isoformat()}"):
            if pipeline.store.has_hits(query_set, day):
                # Written since we looked.
                continue
            forgotten = pipeline.ledger.searches.forget_hits(query_set, day=day)
        pairs += forgotten
        subject = _subject(query_set, day)
        lost_subjects.add(subject)
        reason = (
            f"the file of {row['hits']} hits is gone from {pipeline.store.root}; {forgotten} answers are forgotten and "
            "asked for again, those of earlier versions of a query cannot be. Keep other programs out of that folder"
        )
        pipeline.ledger.failures.record(
            _STEP, subject=subject, day=day, reason=reason, retryable=True, at=pipeline.now()
        )
        pipeline.progress.note(f"{subject}: {reason}")
    _resolve(pipeline, present, lost_subjects)
    return pairs


def _resolve(pipeline: Pipeline, present: set[tuple[str | None, date | None]], lost_subjects: set[str]) -> None:
    standing = {_subject(query_set, day) for query_set, day in present if query_set and day}
    for failure in pipeline.ledger.failures.unresolved(step=_STEP):
        if failure.subject in standing - lost_subjects:
            pipeline.ledger.failures.resolve(subject=failure.subject, at=pipeline.now(), steps=(_STEP,))


def _subject(query_set: str, day: date) -> str:
    return f"{query_set}/{day.isoformat()}"
