"""Footage that arrived after a query was first answered: its hits are news, those of older footage are a first run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import cast

import sqlalchemy as sa

from visualsearch_pipeline.ledger.schema import contents, coverage, videos
from visualsearch_pipeline.ledger.videos import VIDEOS_AND_CONTENTS
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.warehouse import SearchedPair


class Arrivals:
    """Which of a query set's videos are younger than its queries. Made before a run asks anything.

    Args:
        pipeline: The run.
        query_set: The set.
    """

    def __init__(self, pipeline: Pipeline, query_set: str) -> None:
        self._pipeline = pipeline
        first = sa.select(coverage.c.query_id, sa.func.min(coverage.c.searched_at).label("first_answered_at"))
        of_set = first.where(coverage.c.query_set == query_set).group_by(coverage.c.query_id)
        self._first_answered_at = _moments(pipeline, of_set, key="query_id", moment="first_answered_at")

    def among(self, searched: Collection[SearchedPair], *, day: date) -> frozenset[SearchedPair]:
        """Those of `searched`, all about videos of `day`, whose footage was first seen after the first answer."""
        if not self._first_answered_at:
            return frozenset()
        # What the service fetched itself was not there before it was fetched.
        first_seen_at = sa.func.coalesce(contents.c.first_seen_at, videos.c.uploaded_at).label("first_seen_at")
        select = sa.select(videos.c.video_no, first_seen_at).select_from(VIDEOS_AND_CONTENTS)
        arrived_at = _moments(self._pipeline, select.where(videos.c.day == day), key="video_no", moment="first_seen_at")
        return frozenset(
            pair
            for pair in searched
            if pair.query_id in self._first_answered_at
            and pair.video_no in arrived_at
            and arrived_at[pair.video_no] > self._first_answered_at[pair.query_id]
        )


def _moments(
    pipeline: Pipeline, select: sa.Select[*tuple[object, ...]], *, key: str, moment: str
) -> Mapping[str, datetime]:
    rows = pipeline.ledger.rows(select)
    return {cast(str, row[key]): cast(datetime, row[moment]) for row in rows}
