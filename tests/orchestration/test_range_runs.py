"""Ranges of days: good days are materialized, bad ones fail with their items, and only those need another run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
import sqlalchemy as sa

from visualsearch_pipeline.ledger import VideoState
from visualsearch_pipeline.ledger.schema import videos
from visualsearch_pipeline.orchestration import build_visual_search_defs
from visualsearch_pipeline.orchestration.day_asset import BAD_DAYS
from visualsearch_pipeline.orchestration.partitions import DayRange
from visualsearch_pipeline.orchestration.run_tags import partition_tags
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project


class Operator:
    """A person who materializes ranges of days and looks at what Dagster says of them."""

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        self.project = project
        self.instance = instance

    def day(self, days_ago: int) -> date:
        return self.project.today - timedelta(days=days_ago)

    def materialize(
        self, *names: str, days_ago: tuple[int, int] = (3, 1), config: Mapping[str, object] | None = None
    ) -> dg.ExecuteInProcessResult:
        days = DayRange(self.day(days_ago[0]), self.day(days_ago[1]))
        job = build_visual_search_defs(self.project.settings).resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(name.split("/")) for name in names],
            tags=partition_tags(days),
            run_config={"ops": {name.replace("/", "__"): {"config": config} for name in names}} if config else None,
            raise_on_error=False,
        )

    def green(self, name: str) -> set[int]:
        """How many days ago the materialized days are."""
        done = self.instance.get_materialized_partitions(dg.AssetKey(name.split("/")))
        return {(self.project.today - date.fromisoformat(key)).days for key in done}


def said(result: dg.ExecuteInProcessResult) -> tuple[str, dict[str, Any]]:
    """Description and metadata of the one step that failed."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    return failure.description or "", {name: value.value for name, value in failure.metadata.items()}


def row_counts(result: dg.ExecuteInProcessResult, node: str) -> dict[str, int]:
    return {
        str(event.partition): int(str(event.metadata["dagster/partition_row_count"].value))
        for event in result.asset_materializations_for_node(node)
    }


@pytest.fixture
def three_days(make_project: MakeProject, instance: dg.DagsterInstance) -> Operator:
    """A clip on each of three days."""
    project = make_project(())
    for number, clip in enumerate(("red", "blue", "red-2"), start=1):
        project.add_clip(clip, days_ago=number)
    return Operator(project, instance)


def test_a_bad_file_fails_its_day_and_mending_it_takes_a_run_of_that_day_alone(three_days: Operator) -> None:
    project = three_days.project
    broken = project.footage / "broken.mp4"
    broken.write_text("no video")
    project.touch(broken, days_ago=2)
    result = three_days.materialize("media")
    assert not result.success
    assert three_days.green("media") == {1, 3}
    description, metadata = said(result)
    assert f"1 of 3 days not materialized: {three_days.day(2)} (1 failed: {broken.as_uri()}: " in description
    assert metadata[BAD_DAYS] == [three_days.day(2).isoformat()]
    (row,) = metadata["failed_items"].splitlines()[2:]
    assert row.startswith(f"| {three_days.day(2)} | ")
    assert "/broken.mp4 | it is no video" in row
    # One event per good day, each with its own numbers.
    assert row_counts(result, "media") == {three_days.day(number).isoformat(): 1 for number in (1, 3)}
    # The day's good file is queued all the same.
    three_days.materialize("uploads")
    assert len(project.calls("upload")) == 3

    project.add_clip("green", "broken.mp4", days_ago=2)
    assert three_days.materialize("media", days_ago=(2, 2)).success
    assert three_days.green("media") == {1, 2, 3}


def test_a_content_that_the_service_refuses_fails_its_day_only(three_days: Operator) -> None:
    project = three_days.project
    three_days.materialize("media")
    # One of the three; which one, the threads of the step decide.
    project.server.faults.add(FaultRule(operation="upload", kind=FaultKind.CODE, code="0001", message="no such codec"))
    result = three_days.materialize("uploads")
    assert len(three_days.green("uploads")) == 2
    assert "no such codec" in said(result)[0]
    # It is not sent again by itself, but on request: something about the service has changed.
    mark = project.mark()
    assert not three_days.materialize("uploads").success
    assert project.calls("upload", since=mark) == []
    assert three_days.materialize("uploads", config={"retry_failed": True}).success
    assert len(project.calls("upload", since=mark)) == 1
    assert three_days.green("uploads") == {1, 2, 3}


def test_a_query_that_cannot_be_asked_fails_the_days_that_lack_its_answer(three_days: Operator) -> None:
    project = three_days.project
    project.write_queries("street", "queries: [{id: red, text: red}, {id: says, transcript: warranty}]")
    three_days.materialize("media")
    three_days.materialize("uploads")
    project.server.settle()
    three_days.materialize("videos")
    assert three_days.materialize("hits/street", days_ago=(3, 3)).success
    project.server.faults.add(
        FaultRule(operation="search_audio_transcripts", kind=FaultKind.CODE, code="0001", message="broken", count=99)
    )
    result = three_days.materialize("hits/street")
    description, _ = said(result)
    assert three_days.green("hits/street") == {3}
    assert "street.says" in description
    assert "street.red" not in description
    # What the other query found is kept.
    assert row_counts(result, "hits__street")[three_days.day(3).isoformat()] > 0
    three_days.materialize("warehouse")
    assert project.sql("SELECT count(DISTINCT day) FROM hits WHERE query_id = 'red'") == [(2,)]
    project.server.faults.clear()
    mark = project.mark()
    assert three_days.materialize("hits/street", days_ago=(2, 1)).success
    assert {entry.operation for entry in project.calls(since=mark)} == {"search_audio_transcripts"}
    assert three_days.green("hits/street") == {1, 2, 3}


def test_a_download_that_fails_and_a_video_without_captions_fail_their_day_only(three_days: Operator) -> None:
    project = three_days.project
    project.configure(archive={"videos": True})
    three_days.materialize("media")
    three_days.materialize("uploads")
    project.server.settle()
    three_days.materialize("videos")
    # The one is given up until somebody asks for it, the other is tried again by itself.
    for operation, asset, config in (
        ("download", "archive", {"retry_failed": True}),
        ("get_video_caption", "captions", None),
    ):
        project.server.faults.add(FaultRule(operation=operation, kind=FaultKind.CODE, code="0001", message="no"))
        result = three_days.materialize(asset)
        assert len(three_days.green(asset)) == 2
        assert said(result)[1]["failed"] == 1
        assert three_days.materialize(asset, config=config).success
        assert three_days.green(asset) == {1, 2, 3}


def test_what_is_left_over_is_a_warning_and_no_failure(three_days: Operator) -> None:
    three_days.materialize("media")
    result = three_days.materialize("uploads", config={"max_items": 1})
    assert result.success
    (check,) = [check for check in result.get_asset_check_evaluations() if check.check_name == "all_items_terminal"]
    assert (check.passed, check.severity, check.metadata["left"].value) == (False, dg.AssetCheckSeverity.WARN, 2)
    assert len(three_days.project.calls("upload")) == 1
    # A time box of its own: begin nothing.
    three_days.materialize("uploads", config={"step_seconds": 1e-9})
    assert len(three_days.project.calls("upload")) == 1
    three_days.materialize("uploads")
    assert len(three_days.project.calls("upload")) == 3


def test_two_entries_for_one_content_materialize_nothing(three_days: Operator) -> None:
    project = three_days.project
    three_days.materialize("media")
    assert three_days.materialize("uploads", days_ago=(3, 2)).success
    with project.pipeline() as pipeline, pipeline.ledger._database.writing() as connection:
        (one, *_) = connection.execute(sa.select(videos)).mappings().all()
        connection.execute(sa.insert(videos).values({**one, "video_no": "VI2", "state": VideoState.READY}))
    result = three_days.materialize("uploads")
    assert not result.success
    assert "nothing is materialized, since `no_duplicate_uploads` does not hold" in said(result)[0]
    assert three_days.green("uploads") == {2, 3}
    (check,) = [check for check in result.get_asset_check_evaluations() if check.check_name == "no_duplicate_uploads"]
    assert (check.passed, check.blocking, check.metadata["duplicates"].value) == (False, True, 1)


def test_policies_let_a_backfill_go_on_with_the_good_days(project: Project) -> None:
    """Dagster puts neighbours of one policy into one run, where a bad day would stop what follows for all days."""
    graph = build_visual_search_defs(project.settings).resolve_asset_graph()
    days_per_run = {
        key.to_user_string(): graph.get(key).backfill_policy.max_partitions_per_run  # type: ignore[union-attr]  # all have one
        for key in graph.materializable_asset_keys
        if graph.get(key).is_partitioned
    }
    chain: Sequence[tuple[str, str]] = (
        ("media", "uploads"),
        ("uploads", "videos"),
        ("videos", "hits/street"),
        ("videos", "transcripts"),
        ("videos", "captions"),
        ("hits/street", "archive"),
        ("videos", "archive"),
    )
    assert all(days_per_run[above] != days_per_run[below] for above, below in chain)
    assert {days_per_run[name] for name in ("media", "videos")} == {None}
