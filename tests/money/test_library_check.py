"""Dagster notices once a day what was deleted from the library behind our back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import httpx

from visualsearch_pipeline.orchestration import build_visual_search_defs
from visualsearch_pipeline.pipeline.status import read_status

if TYPE_CHECKING:
    from tests.conftest import Project


def test_the_daily_comparison_makes_a_deletion_a_failure_and_sends_nothing(project: Project) -> None:
    project.run_steps()
    project.configure(indexing={"grace_seconds": 0.001})
    (video_no,) = (entry.video_no for entry in project.server.videos() if entry.file_name.startswith("red"))
    httpx.post(
        f"{project.server.url}/serve/api/v1/delete_videos?unique_id=default",
        headers={"Authorization": project.server.api_key},
        json=[video_no],
    )
    mark = project.mark()
    definitions = build_visual_search_defs(project.settings)
    schedule = definitions.resolve_schedule_def("library_check")
    assert schedule.cron_schedule == "0 4 * * *"
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def(schedule.job_name).execute_in_process(instance=instance)
        assert result.success
    (event,) = (event for event in result.all_events if event.is_successful_output)
    metadata = event.step_output_data.metadata
    assert {name: metadata[name].value for name in ("listed", "ours", "missing")} == {
        "listed": 1,
        "ours": 2,
        "missing": 1,
    }
    with project.pipeline() as pipeline:
        (failure,) = read_status(pipeline).failures
    assert failure.reason.startswith(f"{video_no}: ")
    assert project.billable_calls(since=mark) == []
