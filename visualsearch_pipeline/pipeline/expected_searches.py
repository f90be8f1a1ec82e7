"""What the query sets would ask: planned as `search_run` plans it, so that a plan is what the run then does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from visualsearch_pipeline.ledger import LibraryVideo, Question
from visualsearch_pipeline.pipeline.expected_library_work import ExpectedImages, expected_library_calls
from visualsearch_pipeline.pipeline.forecast import ExpectedSearches
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.search import questions_of
from visualsearch_pipeline.pipeline.search_run import independent_groups, target_of
from visualsearch_pipeline.pipeline.shared_answers import find_shared
from visualsearch_pipeline.queries import Library, QuerySet, Target, VideoQuery, plan, request_definition


def read_expected_searches(
    pipeline: Pipeline, coming: Sequence[date], images: ExpectedImages
) -> tuple[ExpectedSearches, ...]:
    """The calls of every query set, asked one set after the other. Makes none.

    Args:
        pipeline: the run; its client is not used.
        coming: the day of each video that is going to be ready.
        images: those that are going to be in the library.
    """
    reader = _SearchReader(pipeline, coming)
    return tuple(reader.read(query_set, images) for query_set in pipeline.catalog.sets)


class _SearchReader:
    """Plans the query sets in turn, and remembers what the earlier ones are going to know."""

    def __init__(self, pipeline: Pipeline, coming: Sequence[date]) -> None:
        self._pipeline = pipeline
        ready_by_day = Counter(pipeline.ledger.videos.count_ready_by_day()) + Counter(coming)
        self._library = Library(ready_count=ready_by_day.total(), ready_count_by_day=dict(ready_by_day))
        # Under names that no service gives. A video that is uploaded gets the tag of its day.
        self._coming = [Target(video_no=f"coming {number}", day=day, tagged=True) for number, day in enumerate(coming)]
        self._known: defaultdict[str, set[str]] = defaultdict(set)
        """By query version, the videos that a question planned earlier will have been answered about."""

    def read(self, query_set: QuerySet, images: ExpectedImages) -> ExpectedSearches:
        questions = questions_of(query_set)
        unanswered = {
            question.query_version: len(self._pipeline.ledger.searches.unanswered(question))
            for _, question in questions
        }
        calls = pairs = more = 0
        for group in independent_groups(questions):
            group_calls, group_pairs = self._read_group(group)
            calls, pairs = calls + group_calls, pairs + group_pairs
        for _, question in questions:
            if question.within_hits_of is not None:
                # Whatever the other query has yet to be asked about, it may hit.
                more += len(self._coming) + unanswered.get(question.within_hits_of, 0)
        elsewhere = expected_library_calls(self._pipeline, query_set, images)
        return ExpectedSearches(
            query_set=query_set.name,
            calls=calls + elsewhere,
            possible_calls=calls + more + elsewhere,
            calls_saved=max(0, pairs - calls),
        )

    def _read_group(self, group: Sequence[tuple[VideoQuery, Question]]) -> tuple[int, int]:
        """How many calls queries take that are asked together, and how many pairs they answer."""
        queries: dict[str, VideoQuery] = {}
        targets: defaultdict[str, dict[str, Target]] = defaultdict(dict)
        pairs = 0
        for query, question in group:
            videos = {video.video_no: video for video in self._pipeline.ledger.searches.unanswered(question)}
            wanted = {target.video_no: target for target in self._targets(question, videos.values())}
            pairs += len(wanted)
            known = self._known[question.query_version]
            known.update(pair.video_no for pair in find_shared(self._pipeline, question, videos).covered)
            request = request_definition(query)
            queries.setdefault(request, query)
            targets[request] |= {video_no: target for video_no, target in wanted.items() if video_no not in known}
            known.update(wanted)
        planned = (plan(query, targets[request].values(), self._library) for request, query in queries.items())
        return sum(map(len, planned)), pairs

    def _targets(self, question: Question, videos: Iterable[LibraryVideo]) -> list[Target]:
        is_about_all = question.within_videos is None and question.within_hits_of is None
        return [*map(target_of, videos), *(self._coming if is_about_all else ())]
