"""`dg` in a project of somebody else, whose environment has this package as a wheel and not as a repository."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.command_line import REPOSITORY
from tests.doors.team_project import COMPONENT, TeamProject, lay_out_team_project

DG = "import sys; from dagster_dg_cli.cli import main; sys.argv[0] = 'dg'; main()"


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel in it."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "HOME": str(cwd), "LANG": "C.UTF-8"}
        return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=120, check=False)

    def dg(self, *arguments: str, team: TeamProject) -> str:
        """Run a `dg` command that should succeed; returns all that it says."""
        done = self.run(self.python, "-c", DG, *arguments, cwd=team.root)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheel_environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with a wheel that was built now; what it depends on is that of the environment of the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = Path(sys.executable).with_name("uv")

    def run(*arguments: str | Path) -> None:
        done = subprocess.run([uv, *arguments], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode and "CI" not in os.environ and "error sending request" in done.stderr:
            pytest.skip("the package index cannot be reached, and the build backend comes from there")
        assert done.returncode == 0, done.stderr

    run("build", "--wheel", "--python", sys.executable, "--out-dir", folder, REPOSITORY)
    run("venv", "--python", sys.executable, folder / "venv")
    environment = Environment(folder / "venv")
    (wheel,) = folder.glob("*.whl")
    run("pip", "install", "--offline", "--no-deps", "--python", environment.python, wheel)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    return environment


@pytest.fixture
def team(tmp_path: Path, wheel_environment: Environment) -> TeamProject:
    """A project that is installed in the environment, as `pip install -e` installs it."""
    project = lay_out_team_project(tmp_path / "team")
    (packages,) = (wheel_environment.folder / "lib").glob("python*/site-packages")
    (packages / "team.pth").write_text(str(project.source))
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
