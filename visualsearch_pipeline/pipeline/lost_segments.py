"""Transcripts and captions whose file was deleted behind our back: they are forgotten, so that they are fetched again.

As with hits (`lost_hits`), the ledger says what was fetched and the files hold it. Videos that have no segments have
lost nothing, and are not asked again.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import sqlalchemy as sa

from visualsearch_pipeline.ledger import TranscriptionKind
from visualsearch_pipeline.ledger.schema import transcriptions
from visualsearch_pipeline.pipeline.pipeline import Pipeline

_KINDS: Final[tuple[TranscriptionKind, ...]] = ("transcripts", "captions")


def forget_lost_segments(pipeline: Pipeline) -> int:
    """Let every video be asked again whose segments are in no file any more; say how many answers that are.

    Each loss is a failure of the step `transcripts` or `captions`, resolved when the day has its file again. Makes no
    call.

    Raises:
        ParquetFileError: a file lies where none belongs.
    """
    return sum(_forget_lost(pipeline, kind) for kind in _KINDS)


def _forget_lost(pipeline: Pipeline, kind: TranscriptionKind) -> int:
    fetched = _segments_by_day(pipeline, kind)
    present = _days_with_a_file(pipeline, kind)
    answers = 0
    for day, segments in fetched.items():
        if day in present:
            continue
        with pipeline.locked(f"{kind}-{day.isoformat()}"):
            if day in _days_with_a_file(pipeline, kind):
                # Written since we looked.
                continue
            forgotten = pipeline.ledger.fetches.forget_segments(kind, day=day)
        answers += forgotten
        reason = (
            f"the file of {segments} segments is gone from {pipeline.store.root}; {forgotten} answers are forgotten "
            "and asked for again. Keep other programs out of that folder"
        )
        pipeline.ledger.failures.record(
            kind, subject=_subject(kind, day), day=day, reason=reason, retryable=True, at=pipeline.now()
        )
        pipeline.progress.note(f"{_subject(kind, day)}: {reason}")
    standing = {_subject(kind, day) for day in present}
    for failure in pipeline.ledger.failures.unresolved(step=kind):
        if failure.subject in standing:
            pipeline.ledger.failures.resolve(subject=failure.subject, at=pipeline.now(), steps=(kind,))
    return answers


def _segments_by_day(pipeline: Pipeline, kind: TranscriptionKind) -> dict[date, int]:
    select = sa.select(transcriptions.c.day, sa.func.sum(transcriptions.c.segments).label("segments"))
    select = select.where(transcriptions.c.kind == kind, transcriptions.c.segments > 0).group_by(transcriptions.c.day)
    rows = pipeline.ledger.rows(select)
    return {row["day"]: int(str(row["segments"])) for row in rows if isinstance(row["day"], date)}


def _days_with_a_file(pipeline: Pipeline, kind: TranscriptionKind) -> frozenset[date]:
    return frozenset(file.day for file in pipeline.store.files(kind) if file.day is not None)


def _subject(kind: TranscriptionKind, day: date) -> str:
    return f"{kind}/{day.isoformat()}"
