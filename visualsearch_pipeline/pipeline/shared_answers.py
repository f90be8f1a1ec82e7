"""The same question in two places is asked once: what one was answered is copied to the other.

A question is the same if its version is: in another query set, or under another id, such as the one it had before it
was renamed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime

from visualsearch_pipeline.ledger import Covered, LibraryVideo, Question
from visualsearch_pipeline.pipeline.hit_rows import HitRow
from visualsearch_pipeline.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class SharedAnswers:
    """Answers that were given to the same question elsewhere, as rows and coverage of the one that wants them."""

    rows: tuple[HitRow, ...] = ()
    covered: tuple[Covered, ...] = ()


def find_shared(
    pipeline: Pipeline,
    question: Question,
    videos: Mapping[str, LibraryVideo],
    *,
    answered_since: datetime | None = None,
) -> SharedAnswers:
    """Look for answers about `videos` to the question of this version elsewhere. Makes no call.

    Args:
        pipeline: The run.
        question: The question that lacks them.
        videos: By `video_no`, those that it lacks an answer about.
        answered_since: Answers from before are passed over.
    """
    donated: dict[tuple[str, str, date], dict[str, Covered]] = {}
    for pair in pipeline.ledger.searches.answered_elsewhere(question, since=answered_since):
        video = videos.get(pair.video_no)
        if video is not None and video.day == pair.day:
            donated.setdefault((pair.query_set, pair.query_id, pair.day), {})[pair.video_no] = pair
    rows: dict[str, list[HitRow]] = {}
    covered: dict[str, Covered] = {}
    for (query_set, query_id, day), pairs in donated.items():
        wanted = {video_no for video_no in pairs if video_no not in covered}
        found = _rows(pipeline, replace(question, query_set=query_set, query_id=query_id), day, wanted)
        for video_no in wanted:
            hits = found.get(video_no, [])
            if len(hits) != pairs[video_no].hits:
                # The file was taken away or brought back since; the service knows better.
                continue
            rows[video_no] = [replace(row, query_set=question.query_set, query_id=question.query_id) for row in hits]
            covered[video_no] = replace(pairs[video_no], query_set=question.query_set, query_id=question.query_id)
    return SharedAnswers(
        rows=tuple(row for hits in rows.values() for row in hits),
        covered=tuple(covered.values()),
    )


def _rows(pipeline: Pipeline, question: Question, day: date, video_nos: Collection[str]) -> Mapping[str, list[HitRow]]:
    names = [field.name for field in fields(HitRow)]
    found: dict[str, list[HitRow]] = {}
    for row in pipeline.store.read_hits(question.query_set, day).select(names).to_pylist():
        if (row["query_id"], row["query_version"]) != (question.query_id, question.query_version):
            continue
        if row["video_no"] in video_nos:
            found.setdefault(row["video_no"], []).append(HitRow(**{**row, "run_id": pipeline.run_id}))
    return found
