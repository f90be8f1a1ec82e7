"""Making the calls of a query set: planned per query, shared where they can be, newest day first."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TypeAlias

from visualsearch_pipeline.api import VisualSearchError
from visualsearch_pipeline.ledger import LibraryVideo, Question
from visualsearch_pipeline.pipeline.answers import Answers
from visualsearch_pipeline.pipeline.asking import Answer, ask
from visualsearch_pipeline.pipeline.pipeline import Pipeline, TimeBox
from visualsearch_pipeline.pipeline.progress import Task
from visualsearch_pipeline.pipeline.reconciling import DAY_TAG_PREFIX
from visualsearch_pipeline.pipeline.shared_answers import find_shared
from visualsearch_pipeline.pipeline.stopping import stopping_error
from visualsearch_pipeline.queries import Library, QuerySet, SearchCall, Target, VideoQuery, can_split, plan, split


@dataclass
class AskedQuery:
    """One query of a run.

    Attributes:
        query: What is asked.
        question: The same, as the ledger knows it.
        videos: By `video_no`, those that lack an answer.
        open_calls: Calls of it that are planned and not yet made.
        full: Answers of this round that have to be split.
        failed: Why it could not be asked; None if it could.
    """

    query: VideoQuery
    question: Question
    videos: dict[str, LibraryVideo]
    open_calls: int = 0
    full: list[Answer] = field(default_factory=list)
    failed: str | None = None


_PlannedCall: TypeAlias = tuple[AskedQuery, SearchCall]


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
    calls: int = 0
    queries: list[AskedQuery] = field(default_factory=list)

    def ask_all(self, chosen: Sequence[tuple[VideoQuery, Question]], *, days: Sequence[date] | None) -> None:
        """Ask until every pair has its answer or the time box is over.

        Raises:
            ServiceRefuses: the service refuses every call.
            ServiceUnreachable: no connection can be made.
            BudgetExceeded: the next call would pass a budget.
        """
        for group in _independent_groups(chosen):
            round_ = [call for query, question in group for call in self._open(query, question, days=days)]
            while round_ and not self._is_over:
                round_ = self._ask_round(round_)
            if round_:
                return
            # What comes next may look within the hits of these, or be the same question.
            self.answers.commit()

    @property
    def _is_over(self) -> bool:
        # A step that finds its time over still finishes something, or it would begin anew for ever.
        return self.time_box.is_over and self.answers.pair_count > 0

    def _open(self, query: VideoQuery, question: Question, *, days: Sequence[date] | None) -> list[_PlannedCall]:
        """The first calls of a query; answers that the same question got elsewhere need none."""
        ledger = self.pipeline.ledger
        videos = {video.video_no: video for video in ledger.searches.unanswered(question, days=days)}
        if not videos:
            self.task.advance()
            return []
        self.answers.expect(query, question, videos.values())
        asked = AskedQuery(query, question, videos)
        self.queries.append(asked)
        shared = find_shared(self.pipeline, question, videos, answered_since=self.answered_since)
        self.answers.keep_shared(shared)
        targets = [_target(videos[video_no]) for video_no in videos.keys() - {pair.video_no for pair in shared.covered}]
        ready_by_day = ledger.videos.count_ready_by_day()
        library = Library(ready_count=sum(ready_by_day.values()), ready_count_by_day=ready_by_day)
        calls = plan(query, targets, library)
        asked.open_calls = len(calls)
        if not calls:
            self._finish(asked)
        return [(asked, call) for call in calls]

    def _ask_round(self, round_: list[_PlannedCall]) -> list[_PlannedCall]:
        """Make the calls of a round, and return those of the next; when the time is over, what is left of this one."""
        waiting = deque(sorted(round_, key=lambda planned: _newest_day(planned[1]), reverse=True))
        while waiting:
            if self._is_over:
                return list(waiting)
            asked, call = waiting.popleft()
            if asked.failed is None:
                self._ask(asked, call)
        return [planned for asked in self.queries if asked.full for planned in self._split(asked)]

    def _ask(self, asked: AskedQuery, call: SearchCall) -> None:
        """Make one call and keep what is final of its answer."""
        try:
            answer = ask(self.pipeline, call)
        except VisualSearchError as error:
            stops = stopping_error(self.pipeline, error)
            if stops is not None:
                raise stops from error
            self._fail(asked, str(error))
            return
        self.calls += 1
        asked.open_calls -= 1
        unfinished = {target.video_no for target in answer.unfinished}
        to_split = unfinished if can_split(call) else set()
        if to_split:
            asked.full.append(answer)
        final = [asked.videos[video_no] for video_no in call.covers if video_no not in to_split]
        self.answers.keep(answer.hits, asked.query, asked.question, final, truncated=unfinished)
        if not asked.open_calls and not asked.full:
            self._finish(asked)

    def _split(self, asked: AskedQuery) -> list[_PlannedCall]:
        """The next round of a query: what its full answers left open, in smaller parts."""
        if asked.failed is not None:
            return []
        seen = Counter(hit.video_no for answer in asked.full for hit in answer.hits)
        calls = split([replace(answer.call, targets=answer.unfinished) for answer in asked.full], seen=seen)
        asked.full = []
        asked.open_calls += len(calls)
        return [(asked, call) for call in calls]

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


def _independent_groups(
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


def _target(video: LibraryVideo) -> Target:
    day_tag = DAY_TAG_PREFIX + video.day.isoformat()
    return Target(video_no=video.video_no, day=video.day, tagged=day_tag in (video.tags or ()))
