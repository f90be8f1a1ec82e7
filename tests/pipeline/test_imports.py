"""Imports from social platforms: started once, followed to the end, and never paid for twice in silence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from visualsearch_pipeline.ledger import ImportState
from visualsearch_pipeline.pipeline.errors import BudgetExceeded
from visualsearch_pipeline.pipeline.expected_work import read_forecast
from visualsearch_pipeline.pipeline.import_decisions import UndecidableImport, decide, follow_task
from visualsearch_pipeline.pipeline.imports import run_imports
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import look_at_source
from visualsearch_pipeline.pipeline.pending import pending_work
from visualsearch_pipeline.pipeline.publish import publish
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

CREATOR = """
imports:
  - id: team
    creator: https://www.tiktok.com/@team
    count: 3
"""

LOST = {
    "reset before": (FaultRule(operation="scraper", kind=FaultKind.RESET, when="before"), False),
    "reset after": (FaultRule(operation="scraper", kind=FaultKind.RESET, when="after"), True),
    "503 after": (FaultRule(operation="scraper", kind=FaultKind.SPRING_503, when="after"), True),
    "no answer": (FaultRule(operation="scraper", kind=FaultKind.EMPTY_BODY, when="after"), True),
}


def later(**time: float) -> Callable[[], datetime]:
    """A clock that is ahead."""
    return lambda: datetime.now(UTC) + timedelta(**time)


@pytest.fixture
def importing(make_project: MakeProject) -> Project:
    """A project without footage that imports three posts of a creator."""
    project = make_project(())
    write_imports(project, CREATOR)
    project.configure(imports="imports.yaml")
    return project


def write_imports(project: Project, text: str) -> None:
    (project.root / "imports.yaml").write_text(text)


def start(project: Project, **given: object) -> None:
    with project.pipeline(**given) as pipeline:
        look_at_source(pipeline)
        run_imports(pipeline)


def states(project: Project) -> list[tuple[str, str]]:
    with project.pipeline() as pipeline:
        return [(task.entry_id, task.state.value) for task in pipeline.ledger.imports.all()]


def test_posts_of_a_creator_become_hits_although_every_step_is_a_new_process_state(importing: Project) -> None:
    start(importing)
    importing.server.settle()
    with importing.pipeline() as pipeline:
        report = run_imports(pipeline)
        assert (report.finished, report.videos) == (1, 3)
    importing.server.settle()
    importing.run_steps()
    rows = importing.sql("SELECT origin, state, day, sha256, media_uri FROM videos ORDER BY media_uri")
    assert [row[:4] for row in rows] == [("import", "ready", importing.today, None)] * 3
    assert all(uri.startswith("https://www.tiktok.com/@team/video/") for *_, uri in rows)
    assert importing.sql("SELECT count(*) FROM captions")[0][0] > 0
    assert importing.sql("SELECT count(DISTINCT video_no) FROM coverage WHERE query_id = 'red'") == [(3,)]
    spent = importing.sql("SELECT sum(cost_usd) FROM api_calls WHERE operation = 'scraper'")
    assert spent[0][0] == pytest.approx(3 * (0.002 + 5 * 15 / 1000))
    importing.run_steps()
    assert len(importing.calls("scraper")) == 1
    with importing.pipeline() as pipeline:
        assert not pending_work(pipeline).to_do


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_is_undecided_and_never_asked_again_by_itself(importing: Project, fault: str) -> None:
    rule, took_effect = LOST[fault]
    importing.server.faults.add(rule)
    start(importing)
    importing.server.settle()
    start(importing)
    assert states(importing) == [("team", "undecided")]
    with importing.pipeline() as pipeline:
        (failure,) = pipeline.ledger.failures.unresolved(step="imports")
        assert "visualsearch imports resolve team" in failure.reason
        assert not failure.retryable
    assert len(importing.calls("scraper")) == 1
    assert len(importing.server.videos()) == (3 if took_effect else 0)


def test_what_a_person_decides_is_carried_out(importing: Project) -> None:
    importing.server.faults.add(LOST["reset before"][0])
    start(importing)
    with importing.pipeline() as pipeline:
        (task,) = pipeline.ledger.imports.all()
        decide(pipeline, task.entry_id, task.day, "again")
        assert not pipeline.ledger.failures.unresolved()
        with pytest.raises(UndecidableImport, match="nothing to decide"):
            decide(pipeline, task.entry_id, task.day, "drop")
    start(importing)
    assert states(importing) == [("team", "running")]
    assert len(importing.server.videos()) in (0, 3)


def test_a_task_that_a_person_found_is_followed_and_billed(importing: Project) -> None:
    importing.server.faults.add(LOST["reset after"][0])
    start(importing)
    (call,) = importing.calls("scraper")
    importing.server.settle()
    with importing.pipeline() as pipeline:
        (task,) = pipeline.ledger.imports.all()
        assert pipeline.ledger.calls.spent_usd() == 0
        follow_task(pipeline, task.entry_id, task.day, task_id=call.item_ids[0])
        assert pipeline.ledger.calls.spent_usd() == pytest.approx(task.estimated_usd)
        assert run_imports(pipeline).videos == 3
    assert states(importing) == [("team", "finished")]


def test_a_process_that_died_before_the_answer_leaves_it_undecided(importing: Project) -> None:
    with importing.pipeline() as pipeline:
        look_at_source(pipeline)
        (task,) = pipeline.ledger.imports.all()
        pipeline.ledger.imports.record_intent(task, at=pipeline.now())
    start(importing)
    assert states(importing) == [("team", "undecided")]
    assert importing.calls("scraper") == []


def test_a_task_that_brings_nothing_is_stuck_and_welcome_when_it_does(make_project: MakeProject) -> None:
    project = make_project((), indexing_seconds=3600)
    write_imports(project, CREATOR)
    project.configure(imports="imports.yaml")
    start(project)
    with project.pipeline(clock=later(hours=23)) as pipeline:
        assert run_imports(pipeline).running == 1
    with project.pipeline(clock=later(hours=25)) as pipeline:
        assert run_imports(pipeline).stuck == 1
        (failure,) = pipeline.ledger.failures.unresolved(step="imports")
        assert "brought nothing in 25.0 h" in failure.reason
    project.server.clock.advance(7200)
    project.server.settle()
    with project.pipeline() as pipeline:
        assert run_imports(pipeline).finished == 1
        assert not pipeline.ledger.failures.unresolved()


def test_an_import_that_falls_short_is_finished_once_it_brings_nothing_more(importing: Project) -> None:
    write_imports(
        importing,
        "imports:\n  - {id: launch, posts: ['https://youtu.be/a', 'https://youtu.be/unavailable']}\n",
    )
    start(importing)
    importing.server.settle()
    with importing.pipeline() as pipeline:
        report = run_imports(pipeline)
        assert (report.running, report.videos) == (1, 1)
    with importing.pipeline(clock=later(hours=2)) as pipeline:
        assert run_imports(pipeline).finished == 1
        (task,) = pipeline.ledger.imports.all()
        assert task.reason == "brought 1 of 2, and then no more"


def test_public_imports_are_recorded_and_not_polled_as_ours(importing: Project) -> None:
    write_imports(importing, "imports:\n  - {id: tag, hashtags: [race], count: 2, into: public}\n")
    start(importing)
    importing.server.settle()
    with importing.pipeline() as pipeline:
        assert run_imports(pipeline).finished == 1
        (task,) = pipeline.ledger.imports.all()
        brought = pipeline.ledger.imports.videos_of(task)
        assert [(video.library, video.video_no[:3]) for video in brought] == [("public", "PI-")] * 2
        assert poll(pipeline).indexing == 0
        publish(pipeline)
    assert importing.sql("SELECT count(*) FROM videos") == [(0,)]
    rows = importing.sql(
        "SELECT entry_id, library, video_no[:3], post_url LIKE 'https://www.tiktok.com/%' FROM imported_videos"
    )
    assert rows == [("tag", "public", "PI-", True)] * 2
    assert len(importing.calls("scraper_tag_public")) == 1


def test_a_daily_import_is_started_once_a_day(importing: Project) -> None:
    write_imports(importing, CREATOR.replace("count: 3", "count: 1\n    refresh: daily"))
    for hours in (0, 0, 24, 25, 48):
        start(importing, clock=later(hours=hours))
    assert len(importing.calls("scraper")) == 3
    with importing.pipeline() as pipeline:
        assert len({task.day for task in pipeline.ledger.imports.all()}) == 3


def test_a_refused_import_is_told_and_asked_again_once_it_is_changed(importing: Project) -> None:
    importing.server.faults.add(
        FaultRule(operation="scraper", kind=FaultKind.CODE, code="0003", message="no such creator")
    )
    start(importing)
    start(importing)
    assert states(importing) == [("team", "refused")]
    with importing.pipeline() as pipeline:
        (failure,) = pipeline.ledger.failures.unresolved(step="imports")
        assert "no such creator" in failure.reason
    write_imports(importing, CREATOR.replace("@team", "@teams"))
    start(importing)
    assert states(importing) == [("team", "running")]
    assert len(importing.calls("scraper")) == 2


def test_a_budget_stops_before_the_import_is_asked_for(importing: Project) -> None:
    importing.configure(budget={"per_run_usd": 0.01})
    with importing.pipeline() as pipeline:
        look_at_source(pipeline)
        with pytest.raises(BudgetExceeded, match="The import team/"):
            run_imports(pipeline)
    assert importing.calls("scraper") == []
    importing.configure(budget={"per_run_usd": 10})
    start(importing)
    assert states(importing) == [("team", ImportState.RUNNING.value)]


def test_a_mistake_in_the_file_is_told_with_its_line_and_stops_nothing_else(importing: Project) -> None:
    importing.add_clip("red")
    write_imports(importing, CREATOR + "    refresh: dialy\n")
    importing.run_steps()
    with importing.pipeline() as pipeline:
        (failure,) = pipeline.ledger.failures.unresolved(step="source")
        assert "imports.yaml, line 6: imports[1].refresh: must be `once`" in failure.reason
    assert importing.sql("SELECT origin FROM videos") == [("file",)]
    write_imports(importing, CREATOR)
    start(importing)
    with importing.pipeline() as pipeline:
        assert not pipeline.ledger.failures.unresolved()


def test_a_plan_says_what_imports_and_urls_cost_before_anything_is_asked(importing: Project) -> None:
    (importing.root / "urls.txt").write_text("https://media.example.com/a.mp4\nhttps://media.example.com/b.mp4\n")
    importing.configure(source={"urls": "urls.txt"}, budget={"unseen_video_seconds": 60, "per_run_usd": 0.04})
    with importing.pipeline() as pipeline:
        found = read_forecast(pipeline)
    costs = {step.name: (step.calls, round(step.cost_usd, 6)) for step in found.steps}
    assert costs["uploads"] == (2, 0.03)
    assert costs["imports"] == (1, 0.051)
    assert costs["transcripts"][0] == 2 + 3
    assert (found.work.urls, found.work.imports[0].videos) == (2, 3)
    assert [(stop.budget, stop.step) for stop in found.budget_stops] == [("per_run_usd", "imports")]
    assert importing.calls() == []


@pytest.mark.soak
def test_one_command_does_all_of_it(importing: Project) -> None:
    status = importing.run()
    assert status.imports == {"finished": 1}
    assert status.is_done, status
    assert importing.sql("SELECT origin, count(*) FROM videos WHERE state = 'ready' GROUP BY 1") == [("import", 3)]
