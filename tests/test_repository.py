"""What lies at the top of the repository agrees with itself, and what is built from it is whole."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import visualsearch_pipeline
from tests.command_line import REPOSITORY, environment

REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
PACKAGE = REPOSITORY / "visualsearch_pipeline"


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Every file that git keeps."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("the tests do not run in a git clone")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := REPOSITORY / name).is_file()]


def test_both_dagster_instances_are_configured_alike() -> None:
    folders = (REPOSITORY, PACKAGE / "orchestration")
    top, packaged = (yaml.safe_load((folder / "dagster.yaml").read_text()) for folder in folders)
    assert top == packaged
    assert top["telemetry"]["enabled"] is False


def test_the_code_location_has_one_name_however_it_is_started() -> None:
    pyproject = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    workspace = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text())
    (location,) = (entry["python_module"] for entry in workspace["load_from"])
    project = pyproject["tool"]["dg"]["project"]
    assert location["location_name"] == project["code_location_name"]
    assert location["module_name"] == project["code_location_target_module"]


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_are_pinned_with_hashes_and_name_no_host(name: str) -> None:
    text = (REPOSITORY / name).read_text()
    entries = re.findall(r"^([A-Za-z0-9][^\s;]*)(.*(?:\n    .*)*)", text, re.MULTILINE)
    assert len(entries) > 50
    assert [pin for pin, rest in entries if "==" not in pin or "--hash=sha256:" not in rest] == []
    assert re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", text) is None


def test_what_is_used_is_a_part_of_what_is_developed_with() -> None:
    runtime, development = (
        set(re.findall(r"^([A-Za-z0-9][^\s;\[]*)(?:\[[^\]]*\])?==(\S+)", (REPOSITORY / name).read_text(), re.MULTILINE))
        for name in REQUIREMENTS
    )
    assert runtime
    assert runtime - development == set()


def test_the_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == visualsearch_pipeline.__version__


def test_no_tracked_file_names_a_place_of_a_machine(tracked: list[Path]) -> None:
    place = re.compile(rb"/(?:work/(?:main|shared)|root/|home/[a-z]|Users/[a-z])")
    named = [str(path.relative_to(REPOSITORY)) for path in tracked if place.search(path.read_bytes())]
    assert [name for name in named if name != "tests/test_repository.py"] == []


def test_no_tracked_file_is_large_or_private(tracked: list[Path]) -> None:
    assert [path.name for path in tracked if path.stat().st_size > 1_000_000] == []
    assert [path.name for path in tracked if path.suffix in {".db", ".duckdb", ".env", ".pem"}] == []


def test_the_scripts_can_be_executed(tracked: list[Path]) -> None:
    scripts = [path for path in tracked if path.read_bytes().startswith(b"#!")]
    assert REPOSITORY / ".ci/run" in scripts
    assert [path.name for path in scripts if not path.stat().st_mode & 0o100] == []


def test_the_wheel_holds_what_runs_and_nothing_else(tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    built = subprocess.run(
        [uv, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", tmp_path, REPOSITORY],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    kept = {
        str(path.relative_to(REPOSITORY))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if not name.split("/")[0].endswith(".dist-info")} == kept
    assert {"visualsearch_pipeline/py.typed", "visualsearch_pipeline/orchestration/dagster.yaml"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
