"""Answers of a run on their way into the tables: hits to Parquet first, coverage to the ledger last.

Coverage is the commit record. Killed before either, nothing was written; killed between the two, the next run asks
again and replaces what it finds; killed after, nothing is asked.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from typing import Final

import pyarrow as pa

from visualsearch_pipeline.api import ClipHit
from visualsearch_pipeline.ledger import Covered, LibraryVideo, Question, WantedObject
from visualsearch_pipeline.pipeline.arrivals import Arrivals
from visualsearch_pipeline.pipeline.hit_rows import HitRow, as_table, distinct, hits_per_pair, keep_best
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.shared_answers import SharedAnswers
from visualsearch_pipeline.queries import SavedQuery, min_score_of, top_k_of
from visualsearch_pipeline.warehouse import Answer, SearchedPair, merge_hits, replace_hits

_ROWS_PER_COMMIT: Final = 200_000
_SECONDS_PER_COMMIT: Final = 60.0


class Answers:
    """The answers of one run of a query set. A day is written as soon as nothing of it is open any more.

    Args:
        pipeline: The run.
        query_set: The set's name.

    Attributes:
        pair_count: (query, video) pairs that got their answer, the copied ones included.
        copied_count: Those that were copied from the same question asked elsewhere.
        hit_count: Rows written.
        truncated_count: Pairs of which the service holds more hits than it can be made to give.
    """

    def __init__(self, pipeline: Pipeline, query_set: str) -> None:
        self._pipeline = pipeline
        self._query_set = query_set
        self._rows: dict[date, list[HitRow]] = {}
        self._covered: dict[date, list[Covered]] = {}
        self._open: Counter[date] = Counter()
        self._top_k: dict[tuple[str, str], int] = {}
        self._arrivals = Arrivals(pipeline, query_set)
        self._committed_at = time.monotonic()
        self.pair_count = self.copied_count = self.hit_count = self.truncated_count = 0

    def expect(self, query: SavedQuery, question: Question, videos: Iterable[LibraryVideo]) -> None:
        """Announce what a query is going to ask, so that its days wait for it."""
        self._open.update(video.day for video in videos)
        top_k = top_k_of(query)
        if top_k is not None:
            self._top_k[question.query_id, question.query_version] = top_k

    def keep(
        self,
        hits: Iterable[ClipHit],
        query: SavedQuery,
        question: Question,
        videos: Sequence[LibraryVideo],
        *,
        truncated: Collection[str] = (),
    ) -> None:
        """Keep the answer about `videos`; hits in others are dropped.

        Args:
            hits: As the service sent them.
            query: What was asked.
            question: The same, as the ledger knows it.
            videos: About which the answer is final.
            truncated: The `video_no` of those of which it may lack hits that cannot be had.
        """
        asked = {video.video_no: video for video in videos}
        minimum = min_score_of(query)
        rows = distinct(
            self._row(hit, question, asked[hit.video_no])
            for hit in hits
            if hit.video_no in asked and (minimum is None or hit.score is None or hit.score >= minimum)
        )
        counts = Counter(row.video_no for row in rows)
        self._add(
            rows,
            [
                _covered(question, video, hits=counts[video.video_no], truncated=video.video_no in truncated)
                for video in videos
            ],
        )

    def keep_shared(self, shared: SharedAnswers) -> None:
        """Keep answers that the same question was given elsewhere."""
        self._add(shared.rows, shared.covered)
        self.copied_count += len(shared.covered)

    def commit(self) -> None:
        """Write every answer, newest day first, whether its day is whole or not: all of them were paid for."""
        for day in sorted(self._covered, reverse=True):
            self._commit_day(day)
        self._committed_at = time.monotonic()

    def _add(self, rows: Sequence[HitRow], covered: Sequence[Covered]) -> None:
        for row in rows:
            self._rows.setdefault(row.day, []).append(row)
        for pair in covered:
            self._covered.setdefault(pair.day, []).append(pair)
        self._open.subtract(pair.day for pair in covered)
        self.pair_count += len(covered)
        self.truncated_count += sum(pair.truncated for pair in covered)
        for day in sorted({pair.day for pair in covered}, reverse=True):
            if self._open[day] <= 0:
                self._commit_day(day)
        is_large = sum(map(len, self._rows.values())) >= _ROWS_PER_COMMIT
        if is_large or time.monotonic() - self._committed_at > _SECONDS_PER_COMMIT:
            self.commit()

    @cached_property
    def _media_uris(self) -> Mapping[str, str]:
        return self._pipeline.ledger.videos.media_uris()

    def _row(self, hit: ClipHit, question: Question, video: LibraryVideo) -> HitRow:
        return HitRow(
            query_set=question.query_set,
            query_id=question.query_id,
            query_version=question.query_version,
            day=video.day,
            video_no=hit.video_no,
            media_uri=self._media_uris.get(hit.video_no),
            video_name=hit.video_name or video.video_name,
            start_seconds=hit.start_seconds,
            end_seconds=hit.end_seconds,
            score=hit.score,
            text=hit.text,
            keyframe_bucket=hit.keyframe_bucket,
            keyframe_blob=hit.keyframe_blob,
            video_bucket=hit.video_bucket,
            video_blob=hit.video_blob,
            searched_at=self._pipeline.now(),
            run_id=self._pipeline.run_id,
        )

    def _commit_day(self, day: date) -> None:
        pipeline = self._pipeline
        rows, covered = self._rows.pop(day, []), self._covered.pop(day, [])
        searched = {SearchedPair(pair.query_id, pair.query_version, pair.video_no) for pair in covered}
        with pipeline.locked(f"hits-{self._query_set}-{day.isoformat()}"):
            existing = pipeline.store.read_hits(self._query_set, day)
            merged = merge_hits(existing, as_table(rows), searched=searched)
            kept = keep_best(merged, self._top_k)
            answer = Answer(
                searched=searched,
                arrived=self._arrivals.among(searched, day=day),
                answered_at=pipeline.now(),
                run_id=pipeline.run_id,
            )
            replace_hits(pipeline.store, self._query_set, day, kept, answer)
            covered = self._recounted(covered, kept)
            # All else before coverage: a pair that has it is not looked at again.
            if pipeline.settings.archive.keyframes:
                pipeline.ledger.fetches.want(_keyframes(rows, kept))
            self._recount_the_others(day, covered, kept)
            pipeline.ledger.searches.record_coverage(covered, run_id=pipeline.run_id, at=pipeline.now())
        self.hit_count += sum(pair.hits for pair in covered)

    def _recounted(self, covered: list[Covered], kept: pa.Table) -> list[Covered]:
        """The pairs with the hits that are left of them: a query that keeps the best of a day drops the others."""
        if not self._top_k:
            return covered
        counts = hits_per_pair(kept)
        return [
            replace(pair, hits=counts[pair.query_id, pair.query_version, pair.video_no])
            if (pair.query_id, pair.query_version) in self._top_k
            else pair
            for pair in covered
        ]

    def _recount_the_others(self, day: date, covered: Sequence[Covered], kept: pa.Table) -> None:
        """Better hits may have taken the places of those of videos that were answered earlier."""
        concerned = {(pair.query_id, pair.query_version) for pair in covered} & set(self._top_k)
        counts = hits_per_pair(kept) if concerned else {}
        for query_id, version in sorted(concerned):
            left = {pair[2]: count for pair, count in counts.items() if pair[:2] == (query_id, version)}
            question = Question(query_set=self._query_set, query_id=query_id, query_version=version)
            self._pipeline.ledger.searches.recount(question, day=day, hits=left)


def _covered(question: Question, video: LibraryVideo, *, hits: int, truncated: bool) -> Covered:
    return Covered(
        query_set=question.query_set,
        query_id=question.query_id,
        query_version=question.query_version,
        video_no=video.video_no,
        day=video.day,
        hits=hits,
        truncated=truncated,
    )


def _keyframes(rows: Iterable[HitRow], kept: pa.Table) -> Iterable[WantedObject]:
    """The keyframes of those of `rows` that were kept."""
    blobs = {(row["keyframe_bucket"], row["keyframe_blob"]) for row in kept.select(_KEYFRAME).to_pylist()}
    for row in rows:
        if row.keyframe_bucket and row.keyframe_blob and (row.keyframe_bucket, row.keyframe_blob) in blobs:
            yield WantedObject(
                object_key=f"{row.keyframe_bucket}/{row.keyframe_blob}",
                video_no=row.video_no,
                day=row.day,
                bucket=row.keyframe_bucket,
                blob=row.keyframe_blob,
            )


_KEYFRAME: Final = ["keyframe_bucket", "keyframe_blob"]
