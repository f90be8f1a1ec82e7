"""Making the calls of a query set: planned per request, shared where they can be, newest day first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from heapq import heapify, heappop, heappush
from itertools import count

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
    Frontier,
    Library,
    QuerySet,
    SearchCall,
    Target,
    VideoQuery,
    can_split,
    request_definition,
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
        frontier: What is still to be asked.
        next_call: The first of it; None when nothing is left.
    """

    queries: list[AskedQuery]
    frontier: Frontier
    next_call: SearchCall | None = None

    def __post_init__(self) -> None:
        self.next_call = self.frontier.next_call

    @classmethod
    def of(cls, queries: list[AskedQuery], library: Library) -> _SharedRequest:
        """With calls that reach every video which any of the queries lacks."""
        videos = {video_no: video for asked in queries for video_no, video in asked.videos.items()}
        targets = [target_of(video) for video in videos.values()]
        return cls(queries, Frontier.of(queries[0].query, targets, library))

    @property
    def open_queries(self) -> list[AskedQuery]:
        return [asked for asked in self.queries if asked.failed is None and asked.videos]

    def move_to(self, frontier: Frontier) -> None:
        """Go on from `frontier`; the end, if no query has anything open."""
        self.frontier = frontier
        self.next_call = frontier.next_call if self.open_queries else None


@dataclass
class SearchRun:
    """A run of a query set over what it lacks.

    Calls go out newest day first over all queries, so that today's hits are there before last year's are asked for.

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
            requests = self._open_group(group, days=days)
            # By the newest day; those of one day in turn.
            waiting = [
                (-call.newest_day.toordinal(), number, request)
                for number, request in enumerate(requests)
                if (call := request.next_call) is not None
            ]
            heapify(waiting)
            turns = count(len(requests))
            while waiting:
                if self._is_over:
                    return
                _, _, request = heappop(waiting)
                if request.next_call is not None:
                    self._ask_next(request, request.next_call)
                if (call := request.next_call) is not None:
                    heappush(waiting, (-call.newest_day.toordinal(), next(turns), request))
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
    ) -> list[_SharedRequest]:
        """What queries that can be asked together have to send."""
        by_request: dict[str, list[AskedQuery]] = {}
        for query, question in group:
            asked = self._open(query, question, days=days)
            if asked is not None:
                by_request.setdefault(request_definition(query), []).append(asked)
        ready_by_day = self.pipeline.ledger.videos.count_ready_by_day() if by_request else {}
        library = Library(ready_count=sum(ready_by_day.values()), ready_count_by_day=ready_by_day)
        return [_SharedRequest.of(queries, library) for queries in by_request.values()]

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

    def _ask_next(self, request: _SharedRequest, call: SearchCall) -> None:
        """Make a request's next call and keep for each query what is final of its answer."""
        concerned = [asked for asked in request.open_queries if not asked.videos.keys().isdisjoint(call.covers)]
        if not concerned:
            request.move_to(request.frontier.without(call))
            return
        try:
            answer = ask(self.pipeline, call)
        except VisualSearchError as error:
            stops = stopping_error(self.pipeline, error)
            if stops is not None:
                raise stops from error
            for asked in concerned:
                self._fail(asked, str(error))
            request.move_to(request.frontier.without(call))
            return
        self.calls += 1
        to_split: set[str] = set()
        for asked in concerned:
            to_split |= self._keep(asked, answer)
        left = tuple(target for target in call.targets if target.video_no in to_split)
        hits = [hit.video_no for hit in answer.hits]
        request.move_to(request.frontier.after(call, unfinished=left, hits=hits))

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


def target_of(video: LibraryVideo) -> Target:
    """A video as the planner sees it."""
    day_tag = DAY_TAG_PREFIX + video.day.isoformat()
    return Target(video_no=video.video_no, day=video.day, tagged=day_tag in (video.tags or ()))
