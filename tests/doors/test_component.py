"""The component: typed YAML, several instances in one project, and what a subclass can change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from dagster.components.core.component_tree import ComponentTreeException

from tests.doors.team_project import TeamProject, lay_out_team_project
from visualsearch_pipeline import VisualSearchComponent
from visualsearch_pipeline.orchestration import VisualSearchResource, build_visual_search_defs
from visualsearch_pipeline.orchestration.steps import StepEvent
from visualsearch_pipeline.settings import API_KEY_VARIABLE, BASE_URL_VARIABLE

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

LANE = ("media", "uploads", "videos", "hits/street", "warehouse")

LOAD_WATCHED = """
import sys
from pathlib import Path
import dagster as dg
import visualsearch_pipeline.orchestration.component

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "sqlite3.connect", "subprocess.Popen"):
        raise RuntimeError(f"loading the definitions does {event}: {arguments}")

sys.addaudithook(refuse)
defs = dg.load_from_defs_folder(path_within_project=Path(sys.argv[1]))
print(*sorted(key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()))
"""

OWN_COMPONENT = """
import dagster as dg
from visualsearch_pipeline import VisualSearchComponent


class Footage(VisualSearchComponent):
    def get_asset_spec(self, spec):
        owned = super().get_asset_spec(spec)
        return owned.replace_attributes(group_name="own").merge_attributes(tags={"tier": "gold"})

    def execute(self, context, step):
        context.log.info("before %s", context.asset_key.to_user_string())
        for event in super().execute(context, step):
            if isinstance(event, dg.MaterializeResult):
                event = event._replace(metadata={**event.metadata, "told_by": "Footage"})
            yield event
"""


@pytest.fixture
def team(tmp_path: Path) -> TeamProject:
    return lay_out_team_project(tmp_path / "team")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def inline_settings(project: Project, *, namespace: str) -> dict[str, Any]:
    """A project's settings as one writes them into `defs.yaml`, for a library of its own."""
    settings = project.settings.model_dump(mode="json", exclude_unset=True)
    settings["api"]["scope"] = {"unique_id": namespace}
    # A template, which Dagster fills in; and a path relative to the instance.
    settings["state"] = "{{ context.project_root }}/state/" + namespace
    settings["queries"] = "queries"
    return settings


def add_instance(team: TeamProject, project: Project, name: str, **more: object) -> Path:
    folder = team.add_instance(name, {"settings": inline_settings(project, namespace=name), "prefix": name, **more})
    shutil.copytree(project.root / "queries", folder / "queries")
    return folder


def materialize(
    definitions: dg.Definitions, instance: dg.DagsterInstance, *names: str, day: str
) -> dg.ExecuteInProcessResult:
    return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(name.split("/")) for name in names],
        partition_key=day,
        raise_on_error=False,
    )


def specs_of(definitions: dg.Definitions) -> Mapping[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def names_of(definitions: dg.Definitions) -> set[str]:
    repository = definitions.get_repository_def()
    pools = {
        pool
        for assets in definitions.assets or ()
        if isinstance(assets, dg.AssetsDefinition)
        for pool in _pools(assets)
    }
    return {
        *(sensor.name for sensor in repository.sensor_defs),
        *(schedule.name for schedule in repository.schedule_defs),
        *(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        *(definitions.resources or {}),
        *pools,
    }


def _pools(assets: dg.AssetsDefinition) -> set[str]:
    return {assets.op.pool} if assets.is_executable and assets.op.pool else set()


def test_a_settings_file_beside_the_instance_is_the_one_of_the_command_line(
    project: Project, team: TeamProject
) -> None:
    folder = team.add_instance("footage", {"settings": "visualsearch.yaml"})
    shutil.copyfile(project.settings_path, folder / "visualsearch.yaml")
    shutil.copytree(project.root / "queries", folder / "queries")
    with team.loaded() as definitions:
        by_factory = build_visual_search_defs(project.settings)
        assert set(specs_of(definitions)) == set(specs_of(by_factory))
        assert names_of(definitions) == names_of(by_factory)
        warehouse = specs_of(definitions)["warehouse"].description or ""
    assert str(folder / "state") in warehouse


def test_several_instances_live_in_one_project_each_with_its_own_library(
    make_project: MakeProject, team: TeamProject, instance: dg.DagsterInstance
) -> None:
    north = make_project(("red",))
    south = make_project(("blue", "green"))
    # One service for both, which they share in different namespaces.
    south.configure(api={"base_url": north.server.url})
    add_instance(team, north, "north")
    add_instance(team, south, "south")
    day = (north.today - timedelta(days=1)).isoformat()
    with team.loaded() as definitions:
        dg.Definitions.validate_loadable(definitions)
        assert {name.split("/")[0] for name in specs_of(definitions)} == {"north", "south"}
        names = names_of(definitions)
        of_north = {name for name in names if name.startswith("north")}
        assert {name.replace("north", "south", 1) for name in of_north} == names - of_north
        scopes = {
            key: resource.unique_id
            for key, resource in (definitions.resources or {}).items()
            if isinstance(resource, VisualSearchResource)
        }
        assert scopes == {"north_visual_search": "north", "south_visual_search": "south"}
        # Both in the same runs, as a person selects them in the UI.
        both = [f"{prefix}/{name}" for prefix in ("north", "south") for name in ("media", "uploads")]
        assert materialize(definitions, instance, *both, day=day).success
        north.server.settle()
        both = [f"{prefix}/{name}" for prefix in ("north", "south") for name in ("videos", "hits/street", "warehouse")]
        result = materialize(definitions, instance, *both, day=day)
        assert result.success
        rows = {prefix: _row_count(result, f"{prefix}__videos") for prefix in ("north", "south")}
    assert rows == {"north": 1, "south": 2}
    assert {entry.params["unique_id"] for entry in north.calls("upload")} == {"north", "south"}
    assert (team.root / "state" / "north" / "ledger.db").exists()
    assert (team.root / "state" / "south" / "warehouse" / "visualsearch.duckdb").exists()


def _row_count(result: dg.ExecuteInProcessResult, node: str) -> object:
    return result.asset_materializations_for_node(node)[-1].metadata["dagster/partition_row_count"].value


def test_a_subclass_changes_specs_and_wraps_every_step(
    make_project: MakeProject, team: TeamProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    team.write("footage.py", OWN_COMPONENT)
    folder = team.add_instance(
        "footage",
        {"settings": inline_settings(project, namespace="own"), "translation": {"owners": ["team:media"]}},
        component=f"{team.name}.footage.Footage",
    )
    shutil.copytree(project.root / "queries", folder / "queries")
    day = (project.today - timedelta(days=1)).isoformat()
    with team.loaded() as definitions:
        specs = specs_of(definitions)
        assert {spec.group_name for spec in specs.values()} == {"own"}
        assert {spec.tags["tier"] for spec in specs.values()} == {"gold"}
        assert {tuple(spec.owners) for spec in specs.values()} == {("team:media",)}
        assert "dagster/column_schema" in specs["hits/street"].metadata, "what is not overridden stays"
        assert materialize(definitions, instance, "media", "uploads", day=day).success
        project.server.settle()
        result = materialize(definitions, instance, *LANE[2:], day=day)
        assert result.success
        told = {node: _told_by(result, node) for node in ("videos", "hits__street", "warehouse")}
    assert told == {"videos": "Footage", "hits__street": "Footage", "warehouse": "Footage"}


def _told_by(result: dg.ExecuteInProcessResult, node: str) -> object:
    return result.asset_materializations_for_node(node)[-1].metadata["told_by"].value


class Refusing(VisualSearchComponent):
    """Does not run what it is given."""

    def execute(self, context: dg.AssetExecutionContext, step: Iterator[StepEvent]) -> Iterator[StepEvent]:
        del step  # Never begun.
        raise dg.Failure(description=f"not today: {context.asset_key.to_user_string()}", allow_retries=False)


def test_what_execute_refuses_is_not_done(project: Project, instance: dg.DagsterInstance) -> None:
    definitions = dg.component_defs(component=Refusing(settings=project.settings))
    day = (project.today - timedelta(days=1)).isoformat()
    result = materialize(definitions, instance, "media", "uploads", day=day)
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert "not today: media" in str(failed.step_failure_data.user_failure_data)
    assert project.calls() == []


def test_the_daily_job_does_its_steps_through_execute_too(project: Project, instance: dg.DagsterInstance) -> None:
    definitions = dg.component_defs(component=Refusing(settings=project.settings, prefix="north"))
    result = definitions.resolve_job_def("north_daily").execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert "not today: north/media" in str(failed.step_failure_data.user_failure_data)


def test_a_translation_reads_the_spec_it_is_given(project: Project, team: TeamProject) -> None:
    add_instance(
        team,
        project,
        "north",
        translation={
            "tags": {"lane": "{{ spec.key.path[-1] }}", "cost_center": 4711},
            "description": "{{ spec.description }} Ask #footage.",
            "kinds": ["video"],
        },
    )
    with team.loaded() as definitions:
        media = specs_of(definitions)["north/media"]
    assert (media.tags["lane"], media.tags["cost_center"]) == ("media", "4711")
    assert (media.description or "").endswith("Ask #footage.")
    assert media.kinds == {"video"}


class Renaming(VisualSearchComponent):
    """Renames an asset, which would leave the sensors behind."""

    def get_asset_spec(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(key=spec.key.with_prefix("footage"))


def test_renaming_is_what_the_prefix_is_for(project: Project) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"renames source to footage/source.*use `prefix`"):
        dg.component_defs(component=Renaming(settings=project.settings))


def test_other_partitions_than_the_ledgers_days_are_refused(project: Project, team: TeamProject) -> None:
    partitions = {"type": "static", "partition_keys": ["a"]}
    add_instance(team, project, "north", translation={"partitions_def": partitions})
    assert "changes the partitions of north/" in mistake_of(team)


@pytest.mark.parametrize("prefix", ["north/street", "north-street", "", ["north", "a b"]])
def test_a_prefix_that_names_cannot_have_is_refused(project: Project, prefix: str | list[str]) -> None:
    with pytest.raises(ValueError, match=r"cannot be a part of the names of sensors and jobs"):
        dg.component_defs(component=VisualSearchComponent(settings=project.settings, prefix=prefix))


def test_a_missing_settings_file_is_named(team: TeamProject) -> None:
    folder = team.add_instance("footage", {"settings": "visualsearch.yml"})
    assert f"{folder}/visualsearch.yml: there is no such settings file" in mistake_of(team)


def test_a_misspelt_setting_is_named_with_its_file(project: Project, team: TeamProject) -> None:
    settings = inline_settings(project, namespace="north")
    settings["source"]["pth"] = settings["source"].pop("path")
    folder = team.add_instance("north", {"settings": settings})
    mistake = mistake_of(team)
    # The line is that of `settings`: Dagster finds no place for what a union's member says.
    assert f"source.pth at {folder}/defs.yaml:3" in mistake
    assert "Extra inputs are not permitted" in mistake


def mistake_of(team: TeamProject) -> str:
    """What is said when the project cannot be loaded: Dagster's words, and the ones it passes on."""
    with pytest.raises(ComponentTreeException) as caught, team.loaded():
        pass
    error: BaseException | None = caught.value
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def test_the_environment_overrides_the_address_of_inline_settings_too(
    project: Project, team: TeamProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_instance(team, project, "north")
    monkeypatch.setenv(BASE_URL_VARIABLE, "https://proxy.example.org/")
    with team.loaded() as definitions:
        resource = (definitions.resources or {})["north_visual_search"]
        assert isinstance(resource, VisualSearchResource)
        assert resource.base_url == "https://proxy.example.org"
    monkeypatch.setenv(BASE_URL_VARIABLE, "proxy.example.org")
    assert f"{BASE_URL_VARIABLE} must be a web address" in mistake_of(team)


@pytest.mark.soak
def test_loading_a_project_touches_no_network_and_opens_no_database(
    make_project: MakeProject, team: TeamProject
) -> None:
    project = make_project(())
    add_instance(team, project, "north")
    add_instance(team, project, "south")
    without_key = {name: value for name, value in os.environ.items() if name != API_KEY_VARIABLE}
    loaded = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD_WATCHED, team.root],
        env={**without_key, "PYTHONPATH": f"{team.source}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    assert {"north/hits/street", "south/hits/street"} <= set(loaded.stdout.split())
    assert project.calls() == []
    assert not (team.root / "state").exists()
