"""A run that a budget stops ends cleanly: what fits is done and published, the rest stays queued, and all are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from tests.command_line import visualsearch
from visualsearch_pipeline.orchestration import build_visual_search_defs
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source

if TYPE_CHECKING:
    from tests.command_line import Answer
    from tests.conftest import MakeProject, Project

CLIP_USD = 3 / 60 * 15 / 1000
"""What a clip of 3 s costs to index."""


def run(project: Project, *options: str) -> Answer:
    return visualsearch("run", *options, cwd=project.root, VISUALSEARCH_API_KEY=project.server.api_key)


def said(answer: Answer) -> str:
    return " ".join(answer.out.split())


@pytest.fixture
def four(make_project: MakeProject) -> Project:
    """Four clips on three days that are not neighbours: three runs of Dagster's, one of the user's."""
    project = make_project(())
    for number, days_ago in enumerate((9, 9, 6, 3)):
        project.add_clip(f"red-{number + 2}", days_ago=days_ago)
    return project


@pytest.mark.soak
def test_what_fits_is_done_and_published_and_the_rest_stays_queued(four: Project) -> None:
    four.configure(budget={"per_run_usd": 2.5 * CLIP_USD}, archive={"videos": False})
    answer = run(four, "--wait", "--timeout", "60")
    assert answer.code == 5, answer
    assert len(four.server.videos()) == len(four.calls("upload")) == 2
    assert "stopped uploads: Indexing" in said(answer)
    assert "budget.per_run_usd" in said(answer)
    # The two that fitted are searched and in the tables, and so is the refusal.
    assert four.sql("SELECT count(*), min(state) FROM videos") == [(2, "ready")]
    assert four.sql("SELECT count(DISTINCT video_no) FROM hits") == [(2,)]
    failures = four.sql("SELECT step, subject, resolved_at FROM failures")
    assert ("budget", "uploads", None) in failures
    assert {step for step, *_ in failures} == {"budget"}
    assert four.sql("SELECT sum(cost_usd) FROM api_calls")[0][0] <= 2.5 * CLIP_USD

    status = visualsearch("status", cwd=four.root)
    assert status.code == 5
    assert "budget.per_run_usd" in said(status)

    four.configure(budget={"per_run_usd": None})
    answer = run(four, "--wait", "--timeout", "60")
    assert answer.code == 0, answer
    assert "stopped" not in said(answer)
    assert len(four.server.videos()) == len(four.calls("upload")) == 4
    assert four.sql("SELECT count(*) FROM failures WHERE resolved_at IS NULL") == [(0,)]


@pytest.mark.soak
def test_all_days_of_one_command_share_the_budget_of_a_run(four: Project) -> None:
    four.configure(budget={"per_run_usd": 1.5 * CLIP_USD})
    assert run(four).code == 5
    assert len(four.server.videos()) == 1
    assert run(four).code == 5  # the next command has its own
    assert len(four.server.videos()) == 2


@pytest.mark.soak
def test_a_day_s_budget_holds_over_commands_until_it_is_raised(four: Project) -> None:
    four.configure(budget={"per_day_usd": 1.5 * CLIP_USD})
    assert run(four).code == 5
    answer = run(four)
    assert answer.code == 5
    assert "budget.per_day_usd" in said(answer)
    assert len(four.server.videos()) == 1


def test_a_search_that_does_not_fit_leaves_the_uploads_alone(four: Project) -> None:
    four.configure(budget={"per_run_usd": 4 * CLIP_USD + 0.00005}, archive={"videos": False})
    answer = run(four, "--wait", "--timeout", "60")
    assert answer.code == 5
    assert len(four.server.videos()) == 4
    assert "stopped hits/street: Searching for" in said(answer)
    assert four.sql("SELECT count(*), min(state) FROM videos") == [(4, "ready")]
    assert four.calls("search", "get_audio_transcription") == []


@pytest.mark.soak
def test_work_that_went_away_takes_the_stop_with_it(four: Project) -> None:
    four.configure(budget={"per_run_usd": 0}, archive={"videos": False})
    assert run(four).code == 5
    for path in list(four.footage.iterdir()):
        path.unlink()
    assert run(four).code == 0
    assert visualsearch("status", cwd=four.root).code == 0


def test_dagster_shows_which_budget_stopped_a_step(four: Project) -> None:
    four.configure(budget={"per_run_usd": 0})
    with four.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        day = pipeline.ledger.uploads.open()[0].day
    definitions = build_visual_search_defs(four.settings)
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey("uploads")],
            tags={"dagster/partition": day.isoformat()},
            raise_on_error=False,
        )
    (event,) = (event for event in result.all_events if event.is_step_failure)
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    assert "stopped by the budget: Indexing 'red" in str(failure.description)
    assert failure.metadata["stopped_by_budget"].value == "budget.per_run_usd"
    assert four.calls() == []
