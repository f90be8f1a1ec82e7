"""Making the calls of a query set: planned per request, shared where they can be, newest day first."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TypeAlias

from visualsearch_pipeline.api import VisualSearchError
from visualsearch_pipeline.ledger import LibraryVideo, Question
from visualsearch_pipeline.pipeline.answers import Answers
from visualsearch_pipeline.pipeline.asking import Answer, ask
from visualsearch_pipeline.pipeline.pipeline import Pipeline, TimeBox
from visualsearch_pipeline.pipeline.progress import Task
from visualsearch_pipeline.pipeline.shared_answers import find_shared
from visualsearch_pipeline.pipeline.stopping import stopping_error
from visualsearch_pipeline.pipeline.upload_marks import DAY_TAG_PREFIX
from visualsearch_pipeline.queries import (
    Library,
    QuerySet,
    SearchCall,
    Target,
    VideoQuery,
    can_split,
    plan,
    request_definition,
    split,
    unfinished,
)


@dataclass
class AskedQuery:
    """One query of a run.

    Attributes:
        query: What is asked.
        question: The same, as the ledger knows it.
        videos: By `video_no`, those that still lack an answer.
        failed: Why it could not be asked; None if it could.
    """

    query: VideoQuery
    question: Question
    videos: dict[str, LibraryVideo]
    failed: str | None = None


@dataclass
class _SharedRequest:
    """Queries that send the service the same: a call is made once for all that lack any of its answer.

    Attributes:
        queries: They differ in which hits they keep, and in which videos they lack.
        full: Answers of this round that have to be split for at least one of them.
    """

    queries: list[AskedQuery]
    full: list[Answer] = field(default_factory=list)

    @property
    def open_queries(self) -> list[AskedQuery]:
        return [asked for asked in self.queries if asked.failed is None and asked.videos]

    def first_calls(self, library: Library) -> tuple[SearchCall, ...]:
        """The calls that reach every video which any of the queries lacks."""
        videos = {video_no: video for asked in self.open_queries for video_no, video in asked.videos.items()}
        return plan(self.queries[0].query, [target_of(video) for video in videos.values()], library)

    def next_calls(self) -> tuple[SearchCall, ...]:
        """What the full answers of this round left open, in smaller parts."""
        seen = Counter(hit.video_no for answer in self.full for hit in answer.hits)
        wanted = {video_no for asked in self.open_queries for video_no in asked.videos}
        left = [
            replace(answer.call, targets=tuple(target for target in answer.unfinished if target.video_no in wanted))
            for answer in self.full
        ]
        self.full = []
        return split([call for call in left if call.targets], seen=seen)


_PlannedCall: TypeAlias = tuple[_SharedRequest, SearchCall]


@dataclass
class SearchRun:
    """A run of a query set over what it lacks.

    Calls go out in rounds over all queries, newest day first within a round, so that today's hits are there before
    last year's are asked for.

    Args:
        pipeline: The run.
        query_set: The set.
        answers: Where answers are kept; the caller commits what is left in it.
        time_box: After this no call is made, once anything was answered.
        task: Told of every query that is through.
        answered_since: Answers that the same question was given elsewhere count from this time on; None for all.
        max_calls: After so many calls no more is made; None for as many as it takes.

    Attributes:
        calls: Calls that were answered.
        queries: The queries that had anything to ask.
    """

    pipeline: Pipeline
    query_set: QuerySet
    answers: Answers
    time_box: TimeBox
    task: Task
    answered_since: datetime | None
    max_calls: int | None = None
    calls: int = 0
    queries: list[AskedQuery] = field(default_factory=list)

    def ask_all(self, chosen: Sequence[tuple[VideoQuery, Question]], *, days: Sequence[date] | None) -> None:
        """Ask until every pair has its answer or the time box is over.

        Raises:
            ServiceRefuses: the service refuses every call.
            ServiceUnreachable: no connection can be made.
            BudgetExceeded: the next call would pass a budget.
        """
        for group in independent_groups(chosen):
            round_ = self._open_group(group, days=days)
            while round_ and not self._is_over:
                round_ = self._ask_round(round_)
            if round_:
                return
            # What comes next may look within the hits of these, or be the same question.
            self.answers.commit()

    @property
    def _is_over(self) -> bool:
        if self.max_calls is not None and self.calls >= self.max_calls:
            return True
        # A step that finds its time over still finishes something, or it would begin anew for ever.
        return self.time_box.is_over and self.answers.pair_count > 0

    def _open_group(
        self, group: Sequence[tuple[VideoQuery, Question]], *, days: Sequence[date] | None
    ) -> list[_PlannedCall]:
        """The first calls of queries that can be asked together."""
        by_request: dict[str, list[AskedQuery]] = {}
        for query, question in group:
            asked = self._open(query, question, days=days)
            if asked is not None:
                by_request.setdefault(request_definition(query), []).append(asked)
        ready_by_day = self.pipeline.ledger.videos.count_ready_by_day() if by_request else {}
        library = Library(ready_count=sum(ready_by_day.values()), ready_count_by_day=ready_by_day)
        requests = [_SharedRequest(queries) for queries in by_request.values()]
        return [(request, call) for request in requests for call in request.first_calls(library)]

    def _open(self, query: VideoQuery, question: Question, *, days: Sequence[date] | None) -> AskedQuery | None:
        """A query with what it lacks, None if nothing; answers that the same question got elsewhere need no call."""
        videos = {video.video_no: video for video in self.pipeline.ledger.searches.unanswered(question, days=days)}
        if not videos:
            self.task.advance()
            return None
        self.answers.expect(query, question, videos.values())
        shared = find_shared(self.pipeline, question, videos, answered_since=self.answered_since)
        self.answers.keep_shared(shared)
        answered = {pair.video_no for pair in shared.covered}
        left = {video_no: video for video_no, video in videos.items() if video_no not in answered}
        asked = AskedQuery(query, question, left)
        self.queries.append(asked)
        if not left:
            self._finish(asked)
            return None
        return asked

    def _ask_round(self, round_: list[_PlannedCall]) -> list[_PlannedCall]:
        """Make the calls of a round, and return those of the next; when the time is over, what is left of this one."""
        waiting = deque(sorted(round_, key=lambda planned: _newest_day(planned[1]), reverse=True))
        while waiting:
            if self._is_over:
                return list(waiting)
            self._ask(*waiting.popleft())
        requests = {id(request): request for request, _ in round_ if request.full}
        return [(request, call) for request in requests.values() for call in request.next_calls()]

    def _ask(self, request: _SharedRequest, call: SearchCall) -> None:
        """Make one call and keep for each query what is final of its answer."""
        concerned = [asked for asked in request.open_queries if not asked.videos.keys().isdisjoint(call.covers)]
        if not concerned:
            return
        try:
            answer = ask(self.pipeline, call)
        except VisualSearchError as error:
            stops = stopping_error(self.pipeline, error)
            if stops is not None:
                raise stops from error
            for asked in concerned:
                self._fail(asked, str(error))
            return
        self.calls += 1
        to_split: set[str] = set()
        for asked in concerned:
            to_split |= self._keep(asked, answer)
        if to_split:
            left = tuple(target for target in call.targets if target.video_no in to_split)
            request.full.append(replace(answer, unfinished=left))

    def _keep(self, asked: AskedQuery, answer: Answer) -> Set[str]:
        """Keep what is final for one query; return the videos of which smaller parts have to be asked for it."""
        own = replace(
            answer.call,
            query=asked.query,
            targets=tuple(target for target in answer.call.targets if target.video_no in asked.videos),
        )
        lacking = {target.video_no for target in unfinished(own, answer.hits)}
        to_split = lacking if can_split(own) else set()
        final = [asked.videos.pop(video_no) for video_no in own.covers if video_no not in to_split]
        self.answers.keep(answer.hits, asked.query, asked.question, final, truncated=lacking)
        if not asked.videos:
            self._finish(asked)
        return to_split

    def _fail(self, asked: AskedQuery, reason: str) -> None:
        asked.failed = reason
        self.task.advance()
        self.pipeline.ledger.failures.record(
            "hits", subject=self._subject(asked), day=None, reason=reason, retryable=True, at=self.pipeline.now()
        )

    def _finish(self, asked: AskedQuery) -> None:
        self.task.advance()
        self.pipeline.ledger.failures.resolve(subject=self._subject(asked), at=self.pipeline.now(), steps=("hits",))

    def _subject(self, asked: AskedQuery) -> str:
        return f"{self.query_set.name}.{asked.query.id}"


def independent_groups(
    chosen: Sequence[tuple[VideoQuery, Question]],
) -> Iterator[list[tuple[VideoQuery, Question]]]:
    """The queries in groups that can be asked together: those that need the answers of others come after them."""
    waiting = list(chosen)
    while waiting:
        versions: set[str] = set()
        group, later = [], []
        for query, question in waiting:
            needs = {question.within_hits_of} & {other.query_version for _, other in waiting}
            if needs or question.query_version in versions:
                later.append((query, question))
            else:
                versions.add(question.query_version)
                group.append((query, question))
        # Cycles are refused when the file is read; should one get here, its queries are asked in the file's order.
        yield group or later
        waiting = later if group else []


def _newest_day(call: SearchCall) -> date:
    return max(target.day for target in call.targets)


def target_of(video: LibraryVideo) -> Target:
    """A video as the planner sees it."""
    day_tag = DAY_TAG_PREFIX + video.day.isoformat()
    return Target(video_no=video.video_no, day=video.day, tagged=day_tag in (video.tags or ()))
