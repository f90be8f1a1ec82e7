"""A run that fails while nobody looks: told in words, to whom the settings name, once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from tests.alert_receiver import alert_receiver
from tests.orchestration.daemon import Daemon
from visualsearch_pipeline.orchestration.run_tags import COMMAND_LINE, REASON_TAG
from visualsearch_pipeline.settings import SettingsError

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project


def tell(daemon: Daemon, result: dg.ExecuteInProcessResult) -> None:
    """What the daemon does for a run that failed."""
    sensor = daemon.definitions.resolve_sensor_def("run_failures")
    failure = next(event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE")
    sensor(
        dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_instance=daemon.instance,
            dagster_run=result.dagster_run,
            dagster_event=failure,
        ).for_run_failure()
    )


@pytest.fixture
def broken(make_project: MakeProject) -> Project:
    """A project whose one file is no video."""
    project = make_project(())
    (project.footage / "broken.mp4").write_text("no video")
    project.touch(project.footage / "broken.mp4")
    return project


def test_a_failed_run_is_told_with_its_days_and_reasons(broken: Project, instance: dg.DagsterInstance) -> None:
    with alert_receiver() as receiver:
        broken.configure(alerts={"webhook": receiver.url, "run_failures": True})
        daemon = Daemon(broken, instance)
        (request,) = daemon.request("new_media")
        result = daemon.execute(request)
        tell(daemon, result)
        # Nobody is told what he has just been shown.
        media = dg.AssetKey("media")
        day = (broken.today - timedelta(days=1)).isoformat()
        tell(daemon, daemon.materialize([media], {"dagster/partition": day, REASON_TAG: COMMAND_LINE}))
    ((delivery_id, told),) = receiver.received
    assert delivery_id == f"run-{result.run_id}"
    (reason,) = told.pop("reasons")
    assert "media: 1 of 1 days not materialized" in reason
    assert "broken.mp4" in reason
    assert told == {
        "kind": "run_failed",
        "run_id": result.run_id,
        "job": "__ASSET_JOB",
        "assets": ["media"],
        "first_day": day,
        "last_day": day,
        "why_it_ran": "new media",
    }


def test_without_the_setting_a_failed_run_is_logged_and_told_to_nobody(
    broken: Project, instance: dg.DagsterInstance
) -> None:
    with alert_receiver() as receiver:
        broken.configure(alerts={"webhook": receiver.url})
        daemon = Daemon(broken, instance)
        (request,) = daemon.request("new_media")
        tell(daemon, daemon.execute(request))
    assert receiver.received == []


def test_the_setting_needs_somebody_to_tell(broken: Project) -> None:
    broken.configure(alerts={"run_failures": True})
    with pytest.raises(SettingsError, match="nowhere to tell them"):
        _ = broken.settings
