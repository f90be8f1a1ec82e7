"""`dg` in a project of somebody else, whose environment has this package as a wheel and not as a repository."""

from __future__ import annotations

import json
import re
import site
import sys
from pathlib import Path

import pytest
import yaml

import visualsearch_pipeline
from tests.command_line import REPOSITORY
from tests.doors.team_project import COMPONENT, TeamProject, lay_out_team_project
from tests.doors.wheel_environment import DG, Environment, build_wheel, make_environment, run_uv


@pytest.fixture(scope="session")
def wheel_environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with a wheel that was built now; what it depends on is that of the environment of the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    environment = make_environment(folder)
    run_uv("pip", "install", "--offline", "--no-deps", "--python", environment.python, build_wheel(folder))
    (environment.packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    return environment


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What somebody has who installed the wheel alone: what it says that it needs, from the package index."""
    folder = tmp_path_factory.mktemp("stranger")
    environment = make_environment(folder)
    # The pins keep the test what it was yesterday; what the wheel does not ask for is not installed by them.
    pins = ("--constraints", REPOSITORY / "requirements.txt")
    run_uv("pip", "install", *pins, "--python", environment.python, build_wheel(folder), timeout_seconds=250)
    return environment


@pytest.fixture
def team(tmp_path: Path, wheel_environment: Environment) -> TeamProject:
    """A project that is installed in the environment, as `pip install -e` installs it."""
    project = lay_out_team_project(tmp_path / "team")
    wheel_environment.install_editable(project)
    return project


def test_an_instance_is_scaffolded_and_loads_as_it_is(wheel_environment: Environment, team: TeamProject) -> None:
    options = ("--source", "s3://footage/cameras", "--start-date", "2026-11-01")
    wheel_environment.dg("scaffold", "defs", COMPONENT, "street-cameras", *options, team=team)
    folder = team.defs / "street-cameras"
    assert yaml.safe_load((folder / "defs.yaml").read_text()) == {
        "type": COMPONENT,
        "attributes": {"settings": "visualsearch.yaml", "prefix": "street_cameras"},
    }
    settings = yaml.safe_load((folder / "visualsearch.yaml").read_text())
    assert settings["source"]["path"] == "s3://footage/cameras"
    assert str(settings["source"]["start_date"]) == "2026-11-01"
    assert settings["api"]["scope"] == {"unique_id": "street_cameras"}
    said = wheel_environment.dg("check", "defs", team=team)
    assert "All component YAML validated successfully." in said
    assert "All definitions loaded successfully." in said
    assert not (team.root / "state").exists()


@pytest.mark.soak
def test_the_component_is_listed_with_its_schema(wheel_environment: Environment, team: TeamProject) -> None:
    said = wheel_environment.dg("list", "components", "--json", team=team)
    listed = {entry["key"]: entry for entry in json.loads(said[said.index("[") : said.rindex("]") + 1])}
    assert "Footage in a folder or bucket" in listed[COMPONENT]["summary"]
    said = wheel_environment.dg("utils", "inspect-component", COMPONENT, "--defs-yaml-json-schema", team=team)
    attributes = json.loads(said[said.index("{") : said.rindex("}") + 1])["properties"]["attributes"]
    assert set(attributes["properties"]) == {"settings", "prefix", "translation"}
    assert all(entry["description"] for entry in attributes["properties"].values())
    assert "source" in attributes["$defs"]["Settings"]["properties"]


@pytest.mark.soak
def test_two_instances_one_of_them_in_python_load_beside_each_other(
    wheel_environment: Environment, team: TeamProject
) -> None:
    wheel_environment.dg("scaffold", "defs", COMPONENT, "north", team=team)
    wheel_environment.dg("scaffold", "defs", COMPONENT, "south", "--format", "python", team=team)
    assert "component_instance" in (team.defs / "south" / "component.py").read_text()
    wheel_environment.dg("check", "defs", team=team)
    said = wheel_environment.dg("list", "defs", "--json", team=team)
    listed = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert {asset["asset_key"].split("/")[0] for asset in listed["assets"]} == {"north", "south"}
    # Relative paths of both are those of their folders, and state lies beside the code.
    descriptions = " ".join(asset["description"] or "" for asset in listed["assets"])
    assert f"{team.root}/state/north/warehouse/visualsearch.duckdb" in descriptions
    assert f"{team.root}/state/south/warehouse/visualsearch.duckdb" in descriptions


@pytest.mark.soak
def test_a_mistake_in_defs_yaml_is_found_without_loading(wheel_environment: Environment, team: TeamProject) -> None:
    team.add_instance("north", {"settings": {"source": {"pth": "footage"}}, "prefix": ["north"]})
    done = wheel_environment.run(wheel_environment.python, "-c", DG, "check", "yaml", cwd=team.root)
    assert done.returncode != 0
    assert "defs.yaml" in done.stdout + done.stderr
    assert "pth" in done.stdout + done.stderr


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_wheel_alone_runs_the_whole_demo(wheel_environment: Environment, tmp_path: Path) -> None:
    """Whatever is read at run time is in the wheel: Dagster's configuration, the report's files, the sandbox."""
    visualsearch = wheel_environment.folder / "bin" / "visualsearch"
    done = wheel_environment.run(visualsearch, "demo", cwd=tmp_path)
    # One of the demo's clips is broken on purpose: exit code 3.
    assert done.returncode == 3, done.stdout + done.stderr
    demo = tmp_path / "visualsearch-demo"
    assert (demo / "state" / "warehouse" / "visualsearch.duckdb").exists()
    done = wheel_environment.run(visualsearch, "report", "--to", tmp_path / "page", cwd=demo)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "<html" in (tmp_path / "page" / "index.html").read_text()


@pytest.mark.soak
def test_whoever_installs_the_wheel_alone_scaffolds_checks_and_lists(stranger: Environment, tmp_path: Path) -> None:
    team = lay_out_team_project(tmp_path / "team")
    stranger.install_editable(team)
    unknown = stranger.run(stranger.python, "-c", "import tests", cwd=tmp_path)
    assert "No module named 'tests'" in unknown.stderr, "nothing of the repository is on its path"
    components = stranger.dg("list", "components", "--json", team=team)
    assert COMPONENT in components, "only the wheel's own entry point can have told"
    stranger.dg("scaffold", "defs", COMPONENT, "north", team=team)
    assert "All definitions loaded successfully." in stranger.dg("check", "defs", team=team)
    said = stranger.dg("list", "defs", "--json", team=team)
    listed = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert {"north/media", "north/uploads", "north/videos", "north/hits/street", "north/warehouse"} <= {
        asset["asset_key"] for asset in listed["assets"]
    }
    assert {"north_new_media", "north_indexing"} <= {sensor["name"] for sensor in listed["sensors"]}
    told = stranger.run(stranger.folder / "bin" / "visualsearch", "--version", cwd=tmp_path)
    assert told.stdout.split()[-1] == visualsearch_pipeline.__version__


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the oldest of them have no wheels for newer Pythons")
def test_the_lowest_versions_that_are_named_run_the_demo_and_load(tmp_path: Path) -> None:
    pins = tmp_path / "lowest.txt"
    run_uv("pip", "compile", "--resolution", "lowest-direct", "-q", "-o", pins, REPOSITORY / "pyproject.toml")
    assert re.search(r"^dagster==1\.13\.27$", pins.read_text(), re.MULTILINE)
    environment = make_environment(tmp_path)
    run_uv("pip", "install", "--python", environment.python, "-r", pins, build_wheel(tmp_path), timeout_seconds=250)
    done = environment.run(environment.folder / "bin" / "visualsearch", "demo", cwd=tmp_path)
    # One of the demo's clips is broken on purpose: exit code 3.
    assert done.returncode == 3, done.stdout + done.stderr
    team = lay_out_team_project(tmp_path / "team")
    environment.install_editable(team)
    environment.dg("scaffold", "defs", COMPONENT, "north", team=team)
    assert "All definitions loaded successfully." in environment.dg("check", "defs", team=team)
