"""The definitions: loaded without network or database, whole, and never stopped by one broken file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from visualsearch_pipeline.orchestration import VisualSearchResource, build_visual_search_defs
from visualsearch_pipeline.settings import API_KEY_VARIABLE, CONFIG_VARIABLE, Settings

if TYPE_CHECKING:
    from tests.conftest import Project

ASSETS = {
    *("source", "library", "media", "uploads", "videos", "transcripts", "captions", "archive", "warehouse", "report"),
    "hits/street",
}

LOAD_WATCHED = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen"):
        raise RuntimeError(f"loading the definitions does {event}: {arguments}")

import dagster as dg
import visualsearch_pipeline.orchestration
sys.addaudithook(refuse)
from visualsearch_pipeline.definitions import defs
loaded = defs() if callable(defs) else defs
print(*sorted(key.to_user_string() for key in loaded.resolve_asset_graph().get_all_asset_keys()))
"""


def test_loading_touches_no_network_and_opens_no_database(project: Project) -> None:
    environment = {name: value for name, value in os.environ.items() if name != API_KEY_VARIABLE}
    environment[CONFIG_VARIABLE] = str(project.settings_path)
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD_WATCHED], env=environment, capture_output=True, text=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr
    assert set(loaded.stdout.split()) == ASSETS
    assert not project.settings.state.exists()
    assert project.calls() == []


def test_a_set_that_asks_something_else_has_another_code_version(project: Project) -> None:
    def version() -> str | None:
        graph = build_visual_search_defs(project.settings).resolve_asset_graph()
        return graph.get(dg.AssetKey(["hits", "street"])).code_version

    path = project.settings.queries / "street.yaml"
    text, before = path.read_text(), version()
    assert before
    path.write_text(f"# A comment asks nothing.\n{text}")
    assert version() == before
    path.write_text(f"{text}\n  - id: another\n    text: another question\n")
    assert version() != before


def test_everything_a_day_needs_is_there(project: Project) -> None:
    definitions = build_visual_search_defs(project.settings)
    dg.Definitions.validate_loadable(definitions)
    repository = definitions.get_repository_def()
    assert {sensor.name for sensor in repository.sensor_defs} == {
        *("new_media", "indexing", "results", "done_days", "run_failures")
    }
    assert {schedule.name for schedule in repository.schedule_defs} == {"daily", "library_check"}
    graph = definitions.resolve_asset_graph()
    media, hits = dg.AssetKey("media"), dg.AssetKey(["hits", "street"])
    assert graph.get(media).parent_keys == {dg.AssetKey("source")}
    assert graph.get(hits).parent_keys == {dg.AssetKey("videos")}
    assert hits in graph.get(dg.AssetKey("warehouse")).parent_keys
    checks = {check.name for check in graph.asset_check_keys}
    assert checks >= {"all_items_terminal", "no_duplicate_uploads", "all_videos_terminal", "scores_in_range"}
    columns = graph.get(hits).metadata["dagster/column_schema"]
    assert "start_seconds" in repr(columns)


def test_every_asset_has_the_owner_of_the_settings_unless_its_set_names_one(project: Project) -> None:
    (project.settings.queries / "mine.yaml").write_text(
        "owner: ann@example.com\nqueries: [{id: blue, text: a blue car}]\n"
    )
    settings = project.settings.model_copy(update={"owner": "team:footage"})
    owners = {
        spec.key.to_user_string(): list(spec.owners)
        for spec in build_visual_search_defs(settings).resolve_all_asset_specs()
    }
    assert owners.pop("hits/mine") == ["ann@example.com"]
    assert set(map(tuple, owners.values())) == {("team:footage",)}


def test_a_prefix_lets_two_pipelines_live_in_one_project(project: Project) -> None:
    one, other = (build_visual_search_defs(project.settings, prefix=[name]) for name in ("north", "south"))
    both = dg.Definitions(
        assets=[*(one.assets or ()), *(other.assets or ())],
        sensors=[*(one.sensors or ()), *(other.sensors or ())],
        schedules=[*(one.schedules or ()), *(other.schedules or ())],
        resources={**(one.resources or {}), **(other.resources or {})},
    )
    dg.Definitions.validate_loadable(both)
    keys = both.resolve_asset_graph().get_all_asset_keys()
    assert {key.path[0] for key in keys} == {"north", "south"}
    assert len(keys) == 2 * len(ASSETS)


def test_a_broken_query_file_is_an_asset_that_fails_with_its_problems(project: Project) -> None:
    project.write_queries("quay", "queries:\n  - id: ship\n    txet: a ship\n")
    project.run()
    definitions = build_visual_search_defs(project.settings)
    keys = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert keys == {*ASSETS, "hits/quay"}
    day = project.sql("SELECT max(day) FROM videos")[0][0]
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(["hits", "quay"]), dg.AssetKey(["hits", "street"])],
            partition_key=day.isoformat(),
            raise_on_error=False,
        )
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_key == "hits__quay"
    said = failed.step_failure_data.user_failure_data
    assert said is not None
    assert "quay.yaml, line 2" in (said.description or "")
    assert result.asset_materializations_for_node("hits__street")


def test_a_preset_of_rates_reaches_the_resource(tmp_path: Path) -> None:
    settings = Settings.model_validate({"state": tmp_path, "api": {"rate_limits": "v1.2"}})
    assert VisualSearchResource.from_settings(settings).rate_limits["search"] == "10/second"


def test_the_resource_never_shows_its_key(tmp_path: Path) -> None:
    resource = VisualSearchResource.from_settings(Settings(state=tmp_path))
    assert resource.api_key == dg.EnvVar(API_KEY_VARIABLE)
    resource = resource.model_copy(update={"api_key": "sk-mavi-secret"})
    assert "secret" not in repr(resource)
    assert "secret" not in str(resource)
    schema = VisualSearchResource.model_json_schema()
    assert schema["properties"]["api_key"]["dagster__is_secret"] is True
    with resource.get_client() as client:
        assert "secret" not in repr(client)
