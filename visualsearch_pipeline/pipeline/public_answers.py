"""Answers of the public library on their way into the tables: hits to Parquet first, the ledger's record last.

A question that is asked on several platforms is kept platform by platform, and is answered when all of them are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date

import pyarrow as pa

from visualsearch_pipeline.api import ClipHit
from visualsearch_pipeline.ledger import PlatformAnswer, PublicAnswer, Question
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.queries import (
    PublicPlatform,
    PublicQuery,
    min_score_of,
    top_k_of,
)
from visualsearch_pipeline.warehouse import AskedQuery, merge_public_hits
from visualsearch_pipeline.warehouse.library_schemas import PUBLIC_HITS

_ALL_PLATFORMS = "all"
"""What stands in the ledger for phrases, which are searched on all platforms at once."""

_Row = dict[str, object]


class PublicAnswers:
    """The answer to one question on one day, as it grows.

    Args:
        pipeline: The run.
        query: What is asked.
        question: The same, as the ledger knows it.
        day: The day of asking.
    """

    def __init__(self, pipeline: Pipeline, query: PublicQuery, question: Question, *, day: date) -> None:
        self._pipeline = pipeline
        self._query = query
        self._question = question
        self._day = day
        self._searches = pipeline.ledger.public_searches

    def keep(self, hits: Sequence[ClipHit], platform: PublicPlatform | None, *, truncated: bool) -> None:
        """Keep what one platform answered; rows of it that an earlier run wrote and did not commit are replaced."""
        with self._locked():
            known = {answer.platform: answer for answer in self._answered()}
            stand = [row for row in self._rows_of(self._question) if _platform_of(row) in known]
            rows = self._write([*stand, *self._rows(hits, platform)])
            known[platform or _ALL_PLATFORMS] = PlatformAnswer(
                platform=platform or _ALL_PLATFORMS, hits=0, truncated=truncated
            )
            # A query that keeps only the best may have dropped rows of platforms that answered before.
            counted = [
                PlatformAnswer(
                    platform=answer.platform,
                    hits=sum(_platform_of(row) == answer.platform for row in rows),
                    truncated=answer.truncated,
                )
                for answer in known.values()
            ]
            self._searches.record_platform_answers(
                self._question, counted, day=self._day, run_id=self._pipeline.run_id, at=self._pipeline.now()
            )

    def complete(self) -> PublicAnswer:
        """Commit the answer: every platform has given its own."""
        answered = self._answered()
        return self._commit(
            hits=sum(answer.hits for answer in answered),
            truncated=any(answer.truncated for answer in answered),
            calls=len(answered),
        )

    def copy(self, donor: PublicAnswer) -> PublicAnswer | None:
        """Commit the answer that the same question was given elsewhere; None if its rows are not all there any more."""
        named = Question(query_set=donor.query_set, query_id=donor.query_id, query_version=donor.query_version)
        rows = self._rows_of(named)
        if len(rows) != donor.hits:
            return None
        with self._locked():
            kept = self._write([{**row, "run_id": self._pipeline.run_id} for row in rows])
            return self._commit(hits=len(kept), truncated=donor.truncated, calls=0)

    def forget_lost_platforms(self) -> None:
        """Let every platform be asked again if the rows of those that answered are not all there any more."""
        answered = self._answered()
        found = [_platform_of(row) for row in self._rows_of(self._question)] if answered else []
        if any(found.count(answer.platform) != answer.hits for answer in answered):
            self._searches.forget_platform_answers(self._question, day=self._day)

    def _answered(self) -> tuple[PlatformAnswer, ...]:
        return self._searches.platform_answers(self._question, day=self._day)

    def _locked(self) -> AbstractContextManager[object]:
        return self._pipeline.locked(f"{PUBLIC_HITS.name}-{self._question.query_set}-{self._day.isoformat()}")

    def _rows_of(self, question: Question) -> list[_Row]:
        table = self._pipeline.store.read_part(PUBLIC_HITS.name, query_set=question.query_set, day=self._day)
        version = (question.query_id, question.query_version)
        return [row for row in table.to_pylist() if (row["query_id"], row["query_version"]) == version]

    def _rows(self, hits: Sequence[ClipHit], platform: PublicPlatform | None) -> Iterator[_Row]:
        minimum = min_score_of(self._query)
        for hit in hits:
            if minimum is not None and hit.score is not None and hit.score < minimum:
                continue
            yield {
                "platform": platform,
                "video_no": hit.video_no,
                "video_name": hit.video_name,
                "start_seconds": hit.start_seconds,
                "end_seconds": hit.end_seconds,
                "score": hit.score,
                "text": hit.text,
                "keyframe_bucket": hit.keyframe_bucket,
                "keyframe_blob": hit.keyframe_blob,
                "video_bucket": hit.video_bucket,
                "video_blob": hit.video_blob,
                "asked_at": self._pipeline.now(),
                "run_id": self._pipeline.run_id,
            }

    def _write(self, rows: Sequence[_Row]) -> list[_Row]:
        """Replace what stands of this question by `rows`; those that are kept of them."""
        pipeline, question = self._pipeline, self._question
        version = (question.query_id, question.query_version)
        named = {"query_set": question.query_set, "query_id": version[0], "query_version": version[1], "day": self._day}
        unranked = pa.schema([column for column in PUBLIC_HITS.arrow_schema if column.name != "rank"])
        own = [{**{name: row[name] for name in unranked.names if name not in named}, **named} for row in rows]
        top_k = top_k_of(self._query)
        merged = merge_public_hits(
            pipeline.store.read_part(PUBLIC_HITS.name, query_set=question.query_set, day=self._day),
            pa.Table.from_pylist(own, schema=unranked),
            asked=[AskedQuery(*version)],
            top_k={version: top_k} if top_k is not None else {},
        )
        pipeline.store.write_part(PUBLIC_HITS.name, merged, query_set=question.query_set, day=self._day)
        kept = [row for row in merged.to_pylist() if (row["query_id"], row["query_version"]) == version]
        self._searches.want_details({row["video_no"]: row["platform"] for row in kept}, day=self._day)
        return kept

    def _commit(self, *, hits: int, truncated: bool, calls: int) -> PublicAnswer:
        question = self._question
        answer = PublicAnswer(
            query_set=question.query_set,
            query_id=question.query_id,
            query_version=question.query_version,
            day=self._day,
            hits=hits,
            truncated=truncated,
            calls=calls,
        )
        self._searches.record_answer(answer, run_id=self._pipeline.run_id, at=self._pipeline.now())
        return answer


def _platform_of(row: _Row) -> str:
    return str(row["platform"] or _ALL_PLATFORMS)
