"""The README holds: its commands run, its SQL answers, its YAML loads, its tables say what the code says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg
import duckdb
import pytest
import typer
import yaml

from tests.command_line import REPOSITORY, FinishedDemo, environment, finished_demo
from tests.running_ui import STOP_SECONDS, free_port, running
from visualsearch_pipeline import cli
from visualsearch_pipeline.commands import exit_codes
from visualsearch_pipeline.demo.encoding import encode_clip
from visualsearch_pipeline.queries import load_query_sets
from visualsearch_pipeline.sandbox import Sandbox, SandboxConfig
from visualsearch_pipeline.settings import API_KEY_VARIABLE, load_settings

README: Final = (REPOSITORY / "README.md").read_text()
_INSTALLED: Final = "make -o .venv/.runtime -o .venv/.development"
MAKE: Final = f"{_INSTALLED} MAKE='{_INSTALLED}'"
"""`make`, and the `make` that it calls, find the environment installed: installing it is what CI does before the tests,
and from a copy it would bend this environment to the copy."""

SHELL_CODES: Final = {exit_codes.INTERRUPTED, exit_codes.OUTPUT_CLOSED}
"""What a shell expects of any command; not told in the README."""


def blocks(language: str) -> list[str]:
    """The README's blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def table(first_header: str) -> list[list[str]]:
    """The cells of the README's table whose first header begins so, row by row."""
    (found,) = re.findall(rf"^\| {first_header}.*\n\|[-|]+\|\n((?:\|.*\n)+)", README, re.MULTILINE)
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in found.splitlines()]


def quoted(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> FinishedDemo:
    return finished_demo(tmp_path_factory)


@dataclass(frozen=True)
class Clone:
    """A copy of the repository as git keeps it, with a service to talk to and the environment of this test run."""

    folder: Path
    variables: Mapping[str, str]

    def run(self, command: str) -> None:
        """Run one line of the README; a failed item is no failed command."""
        ready = command.replace("make ", f"{MAKE} ")
        done = subprocess.run(
            ["bash", "-euc", ready],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode in (exit_codes.ALL_DONE, exit_codes.DONE_WITH_FAILURES), (
            f"{command}\n{done.stdout}{done.stderr}"
        )

    def serve(self, command: str) -> None:
        """Run a line of the README that goes on until Ctrl-C, on a free port; and press Ctrl-C."""
        port = free_port()
        command = {"make dev": f"{MAKE} dev PORT={port}"}.get(command, f"{command} --port {port}")
        log = self.folder.with_suffix(".log")
        with running(
            ["bash", "-euc", f"exec {command}"], cwd=self.folder, variables=self.variables, port=port, log=log
        ) as ui:
            assert ui.ask("{ workspaceOrError { __typename } }")
            if command.startswith("make"):
                # A terminal sends Ctrl-C to make and to what it started alike.
                os.killpg(ui.process.pid, signal.SIGINT)
                ui.process.wait(STOP_SECONDS)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    base = tmp_path_factory.mktemp("readme")
    folder = base / "clone"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("the tests do not run in a git clone, so it is not known what a clone would hold")
    for name in listed.stdout.decode().split("\0"):
        if name and (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    clip = folder / "footage" / "one.mp4"
    clip.parent.mkdir()
    encode_clip(clip, seconds=2)
    moment = (datetime.now(UTC) - timedelta(days=1)).timestamp()
    os.utime(clip, (moment, moment))
    with Sandbox(SandboxConfig(state_dir=base / "sandbox", indexing_seconds=0)) as server:
        variables = environment(base, VISUALSEARCH_BASE_URL=server.url, VISUALSEARCH_API_KEY=server.api_key)
        yield Clone(folder, {**variables, "PYTHONPATH": str(folder)})


COMMANDS: Final = [line for block in blocks("sh") for line in block.splitlines()]
SERVING: Final = ("make dev", "dagster dev", "dg dev")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_runs(command: str, clone: Clone) -> None:
    if command.startswith("export DAGSTER_HOME=$PWD"):
        assert (clone.folder / "dagster.yaml").is_file()
    elif command.startswith(SERVING):
        clone.serve(command)
    else:
        clone.run(command)


def test_every_command_named_in_the_text_exists_with_its_options() -> None:
    group = typer.main.get_command(cli.app)
    prose = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    named = [text.split() for text in quoted(prose) if text.startswith("visualsearch ")]
    assert named
    for _, command, *words in named:
        known = {option for parameter in group.commands[command].params for option in parameter.opts}  # type: ignore[attr-defined]  # typer's group
        assert [word for word in words if word.startswith("--") and word not in known] == [], command


@pytest.mark.parametrize("statement", blocks("sql"))
def test_the_sql_answers_on_the_demo(statement: str, demo: FinishedDemo) -> None:
    database = load_settings(demo.settings_path, environ={}).database_path
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.sql(statement).fetchall()


def test_the_query_set_loads(tmp_path: Path) -> None:
    (text,) = [block for block in blocks("yaml") if "\nqueries:" in block]
    (tmp_path / "street.yaml").write_text(text)
    (tmp_path / "images").mkdir()
    for image in re.findall(r"image: (\S+)", text):
        shutil.copyfile(REPOSITORY / "docs/images/asset-graph.png", tmp_path / image)
    catalog = load_query_sets(tmp_path)
    assert not catalog.broken
    assert [query.id for query in catalog.sets[0].queries] == ["red_truck", "logo", "red_shirt", "says_warranty"]


def test_the_run_configuration_fits_the_asset(demo: FinishedDemo, monkeypatch: pytest.MonkeyPatch) -> None:
    from visualsearch_pipeline.orchestration import build_visual_search_defs

    monkeypatch.setenv(API_KEY_VARIABLE, "sk-mavi-of-no-account")
    (text,) = [block for block in blocks("yaml") if block.startswith("ops:")]
    definitions = build_visual_search_defs(load_settings(demo.settings_path, environ={}))
    job = definitions.resolve_implicit_global_asset_job_def()
    assert dg.validate_run_config(job, yaml.safe_load(text))


def test_the_settings_load(tmp_path: Path) -> None:
    (text,) = [block for block in blocks("yaml") if block.startswith("api:")]
    (tmp_path / "visualsearch.yaml").write_text(text)
    settings = load_settings(tmp_path / "visualsearch.yaml", environ={})
    assert settings.budget.per_day_usd == 20
    assert settings.source.path == str(tmp_path / "footage")


def test_every_block_of_yaml_is_one_of_these() -> None:
    assert len(blocks("yaml")) == 3


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    codes = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert {int(row[0]) for row in table("exit code")} == codes - SHELL_CODES


def test_links_to_files_resolve() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", README)
    files = [target.partition("#")[0] for target in targets if "://" not in target]
    assert files
    assert [file for file in files if not (REPOSITORY / file).exists()] == []
