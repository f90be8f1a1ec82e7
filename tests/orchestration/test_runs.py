"""Runs under Dagster: ranges, configuration, checks, what the UI shows, and where the key must not be."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from PIL import Image

from visualsearch_pipeline.orchestration import build_visual_search_defs
from visualsearch_pipeline.orchestration.execution import PendingRunner, RunFailed, command_line_instance
from visualsearch_pipeline.pipeline.progress import LoggedProgress
from visualsearch_pipeline.sandbox import FaultKind, FaultRule, TransitionPlan
from visualsearch_pipeline.warehouse import TABLES

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

STREET = dg.AssetKey(["hits", "street"])


@pytest.fixture
def instance_on_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """For runs at once: an instance in memory refuses what another thread locks, one on disk waits as in production."""
    # What two runs of one process print cannot be told apart; whoever keeps it leaves processes behind.
    logs = {
        "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    }
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster")), overrides=logs) as on_disk:
        yield on_disk


def materialize(
    project: Project,
    instance: dg.DagsterInstance,
    *names: str,
    days_ago: tuple[int, int],
    run_config: Mapping[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """Materialize assets over a range of days in a single run."""
    first, last = (project.today - timedelta(days=number) for number in days_ago)
    return (
        build_visual_search_defs(project.settings)
        .resolve_implicit_global_asset_job_def()
        .execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name.split("/")) for name in names],
            tags={
                "dagster/asset_partition_range_start": first.isoformat(),
                "dagster/asset_partition_range_end": last.isoformat(),
            },
            run_config=run_config,
            raise_on_error=False,
        )
    )


def metadata_of(result: dg.ExecuteInProcessResult, node: str) -> dict[str, Any]:
    materialization = result.asset_materializations_for_node(node)[-1]
    return {name: value.value for name, value in materialization.metadata.items()}


def failure_metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data is not None
    return {name: value.value for name, value in event.step_failure_data.user_failure_data.metadata.items()}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data is not None
    return event.step_failure_data.user_failure_data.description or ""


def test_one_run_serves_a_range_of_days(make_project: MakeProject, instance: dg.DagsterInstance) -> None:
    project = make_project(())
    for number in (1, 2, 4):
        project.add_clip(f"red-{number}", days_ago=number)
    result = materialize(project, instance, "media", "uploads", days_ago=(5, 1))
    assert result.success
    project.server.settle()
    result = materialize(project, instance, "videos", "hits/street", "warehouse", days_ago=(5, 1))
    assert result.success
    assert len(instance.get_runs()) == 2
    assert len(project.sql("SELECT DISTINCT day FROM hits")) == 3
    # One search served all three days.
    assert len(project.calls("search")) == 1
    done = instance.get_materialized_partitions(STREET)
    assert done == {(project.today - timedelta(days=number)).isoformat() for number in range(1, 6)}


def test_days_with_gaps_are_run_as_ranges(make_project: MakeProject) -> None:
    project = make_project(())
    for number in (1, 2, 9):
        project.add_clip(f"red-{number}", days_ago=number)
    assert project.run().is_done
    assert len(project.sql("SELECT DISTINCT day FROM videos")) == 3


def test_a_run_can_be_told_to_ask_some_queries_or_to_ask_again(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    project.write_queries("street", "queries: [{id: red, text: red}, {id: shape, text: square}]")
    materialize(project, instance, "media", "uploads", days_ago=(1, 1))
    project.server.settle()
    materialize(project, instance, "videos", days_ago=(1, 1))

    def hits(**config: object) -> tuple[dg.ExecuteInProcessResult, list[str]]:
        mark = project.mark()
        run_config = {"ops": {"hits__street": {"config": config}}}
        result = materialize(project, instance, "hits/street", days_ago=(1, 1), run_config=run_config)
        return result, [entry.params["search_param"] for entry in project.calls("search", since=mark)]

    assert hits(queries=["shape"])[1] == ["square"]
    assert hits()[1] == ["red"]
    assert hits()[1] == []
    assert hits(queries=["red"], force=True)[1] == ["red"]
    # Bounded, the rest is left over, which is a warning, and the next run asks it.
    bounded, asked = hits(force=True, max_calls=1)
    assert (bounded.success, len(asked)) == (True, 1)
    (check,) = [one for one in bounded.get_asset_check_evaluations() if one.check_name == "all_items_terminal"]
    assert (check.passed, check.metadata["left"].value) == (False, 1)
    assert sorted([*asked, *hits()[1]]) == ["red", "square"]
    result, asked = hits(queries=["rde"])
    assert (result.success, asked) == (False, [])
    assert "no query 'rde'; it has: red, shape" in failure_of(result)
    materialize(project, instance, "warehouse", days_ago=(1, 1))
    assert project.sql("SELECT query_id, count(*) FROM hits GROUP BY ALL ORDER BY ALL") == [("red", 1), ("shape", 1)]


def test_two_runs_of_one_query_set_pay_for_its_answers_once(
    make_project: MakeProject, instance_on_disk: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    project.write_queries("street", "queries: [{id: red, text: red}, {id: shape, text: square}]")
    for name in ("media", "uploads"):
        assert materialize(project, instance_on_disk, name, days_ago=(1, 1)).success
    project.server.settle()
    materialize(project, instance_on_disk, "videos", days_ago=(1, 1))
    # The first answer takes so long that the other run comes while it is awaited.
    project.server.faults.add(FaultRule(operation="search", kind=FaultKind.STALL, seconds=2))
    results: list[dg.ExecuteInProcessResult] = []
    runs = [
        threading.Thread(
            target=lambda: results.append(materialize(project, instance_on_disk, "hits/street", days_ago=(1, 1)))
        )
        for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [result.success for result in results] == [True, True]
    assert sorted(entry.params["search_param"] for entry in project.calls("search")) == ["red", "square"]


def test_the_ui_is_told_counts_costs_failures_and_a_preview(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red", "blue"))
    (project.footage / "broken|pipe.mp4").write_text("no video")
    project.touch(project.footage / "broken|pipe.mp4")
    result = materialize(project, instance, "media", days_ago=(1, 1))
    media = failure_metadata(result)
    assert (media["files_in_source"], media["accepted"], media["refused"], media["failed"]) == (3, 2, 1, 1)
    assert "broken\\|pipe.mp4" in media["failed_items"]
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity) == (
        "all_items_terminal",
        False,
        dg.AssetCheckSeverity.WARN,
    )
    uploads = metadata_of(materialize(project, instance, "uploads", days_ago=(1, 1)), "uploads")
    assert (uploads["uploaded"], uploads["left"], uploads["uploaded_count"]) == (2, 0, 2)
    assert uploads["bytes_sent"] > 5_000
    assert uploads["minutes_indexed"] == pytest.approx(2 * 3 / 60, abs=0.001)
    project.server.settle()
    result = materialize(project, instance, "videos", "hits/street", "warehouse", days_ago=(1, 1))
    assert metadata_of(result, "videos")["ready_count"] == 2
    hits = metadata_of(result, "hits__street")
    assert hits["dagster/partition_row_count"] == 4
    assert hits["calls_saved"] == hits["pairs"] - hits["calls"] > 0
    assert hits["cost_usd"] == pytest.approx(4 * 0.0001)
    assert "red.mp4" in hits["preview"]
    assert metadata_of(result, "warehouse")["dagster/row_count"] == 4
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks == {
        "all_items_terminal": True,
        "all_videos_terminal": True,
        "files_match_ledger": True,
        "spend_within_budget": True,
        "hits_refer_to_known_videos": True,
        "scores_in_range": True,
        "answers_complete": True,
    }


def test_a_video_that_fails_to_index_is_a_warning_and_not_a_failed_run(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red", "blue"))
    project.server.transitions.plan(TransitionPlan(file_name="blue*", fail_with="unsupported"))
    materialize(project, instance, "media", "uploads", days_ago=(1, 1))
    project.server.settle()
    result = materialize(project, instance, "videos", days_ago=(1, 1))
    assert result.success
    (check,) = [check for check in result.get_asset_check_evaluations() if check.check_name == "all_videos_terminal"]
    assert (check.passed, check.metadata["failed"].value) == (False, 1)
    assert "unsupported" in metadata_of(result, "videos")["failed_items"]


def test_the_key_is_in_no_byte_that_is_written(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    key = project.server.api_key
    monkeypatch.setenv("DAGSTER_HOME", str(project.root / "dagster home"))
    with command_line_instance(project.settings) as instance:
        runner = PendingRunner(project.settings, instance, LoggedProgress())
        # Refused, broken off and answered with nonsense first, so that errors are on record too.
        for rule in (
            FaultRule(operation="upload", kind=FaultKind.CODE, code="0401", message="bad key"),
            FaultRule(operation="list_videos", kind=FaultKind.SPRING_404),
            FaultRule(operation="search", kind=FaultKind.HTML_200),
        ):
            project.server.faults.add(rule)
        for _ in ("the upload", "the list"):
            with pytest.raises(RunFailed) as refused:
                runner.run(wait=True, timeout_seconds=30)
            assert key not in str(refused.value)
        assert runner.run(wait=True, timeout_seconds=30).is_done
        assert len(instance.get_runs()) > 4
    searched = 0
    for folder in ("state", "dagster home", "queries", "footage"):
        for path in (project.root / folder).rglob("*"):
            if path.is_file():
                searched += 1
                assert key.encode() not in path.read_bytes(), path
    assert searched > 20
    # What is compressed is read.
    for table in TABLES:
        assert key not in str(project.sql(f"SELECT * FROM {table}"))  # noqa: S608 - names of our own
    assert key not in "".join(capfd.readouterr())
    assert key not in repr(project.settings)


def test_the_best_keyframes_stand_in_the_event_as_pictures_and_columns_tell_where_they_come_from(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    project.configure(archive={"videos": True})
    materialize(project, instance, "media", days_ago=(1, 1))
    materialize(project, instance, "uploads", days_ago=(1, 1))
    project.server.settle()
    result = materialize(project, instance, "videos", "hits/street", "archive", "warehouse", days_ago=(1, 1))
    assert result.success
    archive = metadata_of(result, "archive")
    (row, *_) = archive["best_hits"].splitlines()[2:]
    encoded = row.partition("data:image/jpeg;base64,")[2].partition(")")[0]
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        assert max(picture.size) == 120
        red, green, blue = picture.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]  # a colour
        assert red > 2 * max(green, blue)
    assert len(row) < 10_000
    lineage = metadata_of(result, "hits__street")["dagster/column_lineage"]
    assert lineage.deps_by_column["video_bucket"] == [
        dg.TableColumnDep(asset_key=dg.AssetKey("videos"), column_name="bucket")
    ]
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert checks["archive_proven"].passed
    assert checks["archive_proven"].metadata["proven_by_sha256"].value == 1
    assert checks["files_match_ledger"].passed
    assert float(str(checks["spend_within_budget"].metadata["spent_today_usd"].value)) > 0
    # A file that is deleted behind our back is noticed with the next publication.
    for path in (project.root / "state" / "warehouse" / "hits").rglob("*.parquet"):
        path.unlink()
    result = materialize(project, instance, "warehouse", days_ago=(1, 1))
    (lost,) = [check for check in result.get_asset_check_evaluations() if check.check_name == "files_match_ledger"]
    assert (lost.passed, lost.metadata["lost_files"].value) == (False, 1)
