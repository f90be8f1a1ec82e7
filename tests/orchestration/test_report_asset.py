"""The asset `report`: the page as it stands after `warehouse`, and no work where nothing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from visualsearch_pipeline.orchestration.build import build_visual_search_defs

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project


def materialize_report(project: Project, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = build_visual_search_defs(project.settings).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("report")], raise_on_error=False)


def test_the_report_is_written_once_and_says_what_it_shows(make_project: MakeProject) -> None:
    project = make_project(clips=["red"])
    with dg.DagsterInstance.ephemeral() as instance:
        refused = materialize_report(project, instance)
        assert not refused.success
        project.run_steps()
        ((hits,),) = project.sql("SELECT count(*) FROM hits")
        changed = []
        for _ in range(2):
            done = materialize_report(project, instance)
            (event,) = done.asset_materializations_for_node("report")
            metadata = {name: value.value for name, value in event.metadata.items()}
            assert metadata["hits"] == hits
            assert hits
            assert metadata["path"] == str(project.settings.report_path / "index.html")
            assert int(str(metadata["size_bytes"])) > 10_000
            changed.append(metadata["changed"])
        assert changed == [True, False]
