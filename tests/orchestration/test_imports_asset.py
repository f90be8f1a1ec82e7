"""The asset `imports` and its sensor: there if a file of imports is named; they ask once, and follow to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from tests.orchestration.daemon import Daemon
from visualsearch_pipeline.orchestration import build_visual_search_defs
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project


@pytest.fixture
def importing(make_project: MakeProject) -> Project:
    project = make_project(())
    text = "imports:\n  - {id: team, creator: 'https://www.tiktok.com/@team', count: 2}\n"
    (project.root / "imports.yaml").write_text(text)
    project.configure(imports="imports.yaml")
    return project


def test_the_asset_is_there_if_a_file_of_imports_is_named(importing: Project) -> None:
    definitions = build_visual_search_defs(importing.settings, prefix=("clips",))
    dg.Definitions.validate_loadable(definitions)
    assert dg.AssetKey(["clips", "imports"]) in definitions.resolve_asset_graph().get_all_asset_keys()
    assert "clips_imports" in {sensor.name for sensor in definitions.get_repository_def().sensor_defs}
    importing.configure(imports=None)
    without = build_visual_search_defs(importing.settings)
    assert dg.AssetKey("imports") not in without.resolve_asset_graph().get_all_asset_keys()


def test_the_sensor_has_an_import_started_once_and_follows_it(importing: Project, instance: dg.DagsterInstance) -> None:
    daemon = Daemon(importing, instance)
    assert daemon.follow() == []
    (request,) = daemon.request("imports")
    assert daemon.request("imports") == []
    assert daemon.execute(request).success
    importing.server.settle()
    assert daemon.request("imports") == []
    with importing.pipeline() as pipeline:
        assert [task.state.value for task in pipeline.ledger.imports.all()] == ["finished"]
        assert len(pipeline.ledger.videos.open()) == 2
    importing.server.settle()
    for following in daemon.request("indexing"):
        assert daemon.execute(following).success
    daemon.follow()
    assert importing.sql("SELECT origin, count(*) FROM videos WHERE state = 'ready' GROUP BY 1") == [("import", 2)]
    assert len(importing.calls("scraper")) == 1


def test_an_undecided_import_fails_its_day_and_is_not_asked_for_again(
    importing: Project, instance: dg.DagsterInstance
) -> None:
    importing.server.faults.add(FaultRule(operation="scraper", kind=FaultKind.RESET, when="after"))
    daemon = Daemon(importing, instance)
    (request,) = daemon.request("imports")
    result = daemon.execute(request)
    assert not result.success
    assert daemon.request("imports") == []
    assert len(importing.calls("scraper")) == 1
