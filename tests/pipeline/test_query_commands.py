"""Looking at saved queries and trying new ones: what people do before and after they save them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pipeline.seeded_library import SeededLibrary, spread
from visualsearch_pipeline.pipeline.errors import BudgetExceeded
from visualsearch_pipeline.pipeline.query_status import NoSuchQuery, query_statuses
from visualsearch_pipeline.pipeline.search import register_queries
from visualsearch_pipeline.pipeline.trying import NotTriable, try_query
from visualsearch_pipeline.queries import ImageInVideoQuery, ImageQuery, TextQuery, TranscriptQuery, open_query_image

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

ZEBRA = TextQuery(id="try", text="zebra", filtering_level="low")


@pytest.fixture
def library(make_project: MakeProject) -> SeededLibrary:
    """Sixty videos of two days, every third with a zebra."""
    library = SeededLibrary(make_project(()))
    by_day, _ = spread(60, day_count=2, hit_count=20)
    library.add(by_day)
    return library


def test_a_trial_asks_once_and_keeps_nothing(library: SeededLibrary) -> None:
    with library.project.pipeline() as pipeline:
        trial = try_query(pipeline, ZEBRA, at_most=7)

    assert len(library.project.calls()) == len(library.project.calls("search")) == 1
    assert (len(trial.hits), trial.hit_count, trial.is_complete) == (7, 20, True)
    assert trial.cost_usd == pytest.approx(0.0001)
    assert {hit.media_uri for hit in trial.hits} == {f"file:///{hit.number}.mp4" for hit in trial.hits}
    assert not (Path(library.project.settings.warehouse_root) / "hits").exists()
    with library.project.pipeline() as pipeline:
        assert pipeline.ledger.searches.coverage_of("street") == ()


def test_a_trial_shows_what_the_query_would_keep(library: SeededLibrary) -> None:
    with library.project.pipeline() as pipeline:
        none = try_query(pipeline, TextQuery(id="try", text="zebra", min_score=1.0))
        few = try_query(pipeline, TextQuery(id="try", text="zebra", filtering_level="low", top_k=3))
        spoken = try_query(pipeline, TranscriptQuery(id="try", transcript="zebra"))

    assert (none.hits, none.hit_count) == ((), 0)
    assert (len(few.hits), few.hit_count) == (3, 20)
    assert (len(spoken.hits), spoken.hit_count) == (20, 20)


def test_a_trial_says_when_one_answer_does_not_hold_everything(make_project: MakeProject) -> None:
    library = SeededLibrary(make_project(()))
    by_day, _ = spread(100, day_count=1, hit_count=1200)
    library.add(by_day)

    with library.project.pipeline() as pipeline:
        trial = try_query(pipeline, ZEBRA)

    assert (trial.hit_count, trial.is_complete) == (1000, False)


def test_pictures_are_tried_alone_and_within_a_video_that_is_named(project: Project) -> None:
    project.run_steps()
    image = open_query_image(project.root / "queries" / "images" / "red.png")
    inside = ImageInVideoQuery(id="inside", image=image, prompt="the red square")
    with project.pipeline() as pipeline:
        alike = try_query(pipeline, ImageQuery(id="try", image=image, similarity=0.7))
        video_no = alike.hits[0].number
        within = try_query(pipeline, inside, video_no=video_no)
        with pytest.raises(NotTriable, match="name a video_no, or try its image alone"):
            try_query(pipeline, inside)

    assert alike.hits[0].media_uri is not None
    assert alike.hits[0].media_uri.endswith("red.mp4")
    assert {hit.number for hit in within.hits} == {video_no}


def test_a_trial_beyond_the_budget_is_not_made(library: SeededLibrary) -> None:
    library.project.configure(budget={"per_run_usd": 0.00005})
    with library.project.pipeline() as pipeline, pytest.raises(BudgetExceeded):
        try_query(pipeline, ZEBRA)

    assert library.project.calls() == []


def test_a_set_shows_how_far_each_query_is_and_what_it_was_before(library: SeededLibrary) -> None:
    both = "queries: [{id: zebra, text: %s, filtering_level: low}, {id: other, text: horse, filtering_level: low}]"
    library.project.write_queries("street", both % "zebra")
    library.search()
    library.project.write_queries("street", both % "zebras")
    late_days, _ = spread(2, day_count=1, hit_count=1)
    library.add(late_days)
    mark = library.project.mark()

    with library.project.pipeline() as pipeline:
        register_queries(pipeline, pipeline.catalog)
        zebra, other, before = query_statuses(pipeline, "street")
        alone = query_statuses(pipeline, "street.zebra")

    assert library.project.calls(since=mark) == []
    assert (zebra.query_id, zebra.is_current, zebra.answered, zebra.open) == ("zebra", True, 0, 62)
    assert (other.query_id, other.answered, other.open, other.hits) == ("other", 60, 2, 0)
    assert other.last_searched_at is not None
    assert (before.query_id, before.asks, before.is_current, before.open) == ("zebra", "zebra", False, None)
    assert (before.answered, before.hits, before.truncated) == (60, 20, 0)
    assert before.retired_at is not None
    assert json.loads(before.definition)["text"] == "zebra"
    assert alone == (zebra, before)


def test_a_query_that_was_never_run_can_be_shown(library: SeededLibrary) -> None:
    library.project.write_queries("street", 'queries: [{id: "{n}", text: "{n}", parameters: {n: [zebra, horse]}}]')

    with library.project.pipeline() as pipeline:
        statuses = query_statuses(pipeline, "street")

    assert [(status.query_id, status.answered, status.open) for status in statuses] == [
        ("zebra", 0, 60),
        ("horse", 0, 60),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stret", "did you mean `street`?"),
        ("street.reed", "did you mean `red`?"),
        ("street.nonsense", "it has: red, says, looks, inside"),
        ("broken", "cannot be read"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_the_nearest_that_is(
    library: SeededLibrary, name: str, message: str
) -> None:
    library.project.write_queries("broken", "queries: []")
    with library.project.pipeline() as pipeline, pytest.raises(NoSuchQuery) as raised:
        query_statuses(pipeline, name)

    assert message in str(raised.value)


def test_what_the_service_would_refuse_is_refused_before_any_call(library: SeededLibrary) -> None:
    project = library.project
    (project.root / "queries" / "large.bmp").write_bytes(b"BM" + bytes(25 * 1024**2))
    (project.root / "queries" / "text.png").write_text("not a picture")
    project.write_queries("street", "queries: [{id: large, image: large.bmp}, {id: text, image: text.png}]")
    project.write_queries("many", "queries: [{id: many, text: zebra, top_k: 5000}]")
    project.write_queries("place", "queries: [{id: place, text: zebra, near: {latitude: 51.5}}]")

    report = library.search("street")
    with project.pipeline() as pipeline:
        broken = {broken.name: str(broken) for broken in pipeline.catalog.broken}
        failures = {failure.subject: failure.reason for failure in pipeline.ledger.failures.unresolved()}

    assert project.calls() == []
    assert (report.calls, [query_id for query_id, _ in report.failed]) == (0, ["large", "text"])
    assert "scale it down" in failures["street.large"]
    assert "is not an image" in failures["street.text"]
    assert "must be 1000 or less" in broken["many"]
    assert "longitude: is missing" in broken["place"]
