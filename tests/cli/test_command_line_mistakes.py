"""A mistake at the command line is answered in words that say what to do, by its exit code, and without a traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from tests.command_line import REPOSITORY, Answer, environment, visualsearch
from visualsearch_pipeline import cli

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

KEY = "sk-mavi-0123456789abcdef"
HEAVY = {"av", "dagster", "duckdb", "httpx", "numpy", "pandas", "pyarrow", "pydantic", "sqlalchemy", "starlette"}


def told(answer: Answer, *words: str, code: int) -> None:
    """The exit code, the words in any order, and no traceback."""
    assert answer.code == code, answer
    assert "Traceback" not in answer.err + answer.out
    assert [word for word in words if word not in answer.error_text] == []


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port at which nobody answers: bound, so that nobody else gets it, but not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something, as a user types it."""
    for name, command in getattr(group, "commands", {}).items():
        below = list(commands(command, (*path, name)))
        yield from below or [(*path, name)]


@pytest.mark.parametrize("command", list(commands(typer.main.get_command(cli.app))))
def test_help_has_an_example_and_the_exit_codes_within_80_columns(command: tuple[str, ...], tmp_path: Path) -> None:
    answer = visualsearch(*command, "--help", cwd=tmp_path)
    assert answer.code == 0
    assert f"Example: visualsearch {' '.join(command)}" in answer.out
    assert "Exit codes: 0 " in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80


def test_help_lists_every_command_and_the_exit_codes(tmp_path: Path) -> None:
    answer = visualsearch("--help", cwd=tmp_path)
    names = {path[0] for path in commands(typer.main.get_command(cli.app))}
    assert [name for name in names if f" {name} " not in answer.out] == []
    assert "Exit codes: 0 " in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80


def test_help_waits_for_none_of_the_heavy_libraries(tmp_path: Path) -> None:
    program = "import sys, visualsearch_pipeline.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert HEAVY.isdisjoint(done.stdout.split())
    assert "typer" in done.stdout.split()


def test_the_version_is_the_package_s(tmp_path: Path) -> None:
    from visualsearch_pipeline import __version__

    assert visualsearch("--version", cwd=tmp_path).out == f"visualsearch {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--wiat"), "--wait"),
        (("rnu",), "run"),
        (("sql",), "statement"),
        (("run", "--timeout", "soon"), "--timeout"),
        (("run", "--timeout", "-1"), "greater than or equal to 0"),
        (("sandbox",), "--state"),
        (("sandbox", "--state", "s", "--dialect", "spring-1926"), "spring-2026"),
        (("sandbox", "--state", "s", "--rate-limits", "v9"), "none, v1.2, p-2026"),
        (("sandbox", "--state", "s", "--frozen-at", "noon"), "is no time"),
        (("sandbox", "--state", "s", "--frozen-at", "2026-01-31T08:00:00"), "has no time zone"),
        (("sandbox", "--state", "s", "--api-key", "=us"), "has no key"),
        (("dev", "--port", "70000"), "65535"),
    ],
)
def test_a_mistyped_command_is_usage(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    told(visualsearch(*arguments, cwd=tmp_path), said, code=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("run",), ("status",), ("sql", "from hits")])
def test_without_settings_the_remedy_is_named(command: tuple[str, ...], tmp_path: Path) -> None:
    told(
        visualsearch(*command, cwd=tmp_path, VISUALSEARCH_API_KEY=KEY),
        str(tmp_path / "visualsearch.yaml"),
        "--config",
        "VISUALSEARCH_CONFIG",
        "`visualsearch demo`",
        code=2,
    )
    told(visualsearch(*command, "--config", "nowhere.yaml", cwd=tmp_path), str(tmp_path / "nowhere.yaml"), code=2)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("api:\n  base_ulr: https://api.memories.ai\n", 2, ("api.base_ulr", "`base_url`")),
        ("api:\n  scope: {unique_id: a, folder_id: 2}\n", 2, ("api.scope", "exactly one")),
        ("state: ./state\nstep_seconds: soon\n", 2, ("step_seconds", "number")),
        ("api:\n  rate_limits: {upload: 3/fortnight}\n", 2, ("3/fortnight", "1/minute")),
        ("source:\n  partition_by: yesterday\n", 2, ("source.partition_by", "%Y")),
        ("source: [\n", 2, ("YAML",)),
    ],
)
def test_broken_settings_are_named_by_file_line_and_key(
    text: str, line: int, words: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "visualsearch.yaml"
    path.write_text(text)
    told(visualsearch("status", cwd=tmp_path), f"{path}, line {line}", *words, code=2)


def test_an_address_from_the_environment_is_checked_like_one_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "visualsearch.yaml").write_text("state: ./state\n")
    answer = visualsearch("status", cwd=tmp_path, VISUALSEARCH_BASE_URL="api.memories.ai")
    told(answer, "VISUALSEARCH_BASE_URL", "https://api.memories.ai", code=2)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "VISUALSEARCH_API_KEY is not set"),
        ("   ", "VISUALSEARCH_API_KEY is not set"),
        (f"Bearer {KEY}", "`Bearer`"),
        (f"'{KEY}'", "quotes"),
        (f"{KEY}\n", "line break"),
    ],
)
def test_a_key_that_cannot_be_right_is_refused_before_anything_begins(key: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "visualsearch.yaml").write_text("state: ./state\n")
    answer = visualsearch("run", cwd=tmp_path, VISUALSEARCH_API_KEY=key)
    told(answer, said, "VISUALSEARCH_API_KEY", code=2)
    assert KEY not in answer.err + answer.out
    assert not (tmp_path / "state").exists()


def test_a_wrong_key_stops_the_run_and_is_not_repeated_to_anybody(project: Project) -> None:
    answer = visualsearch("run", "--wait", cwd=project.root, VISUALSEARCH_API_KEY=KEY)
    told(answer, "Check the API key", code=1)
    assert KEY not in answer.err + answer.out
    assert project.server.videos() == []
    assert len(project.calls("upload")) <= 4  # as many as were begun at once

    answer = visualsearch("run", "--wait", cwd=project.root, VISUALSEARCH_API_KEY=project.server.api_key)
    assert answer.code == 0, answer
    assert len(project.server.videos()) == 2


def test_a_scope_that_is_empty_while_another_is_not_is_told_before_the_first_upload(make_project: MakeProject) -> None:
    project = make_project(("red",))
    key = project.server.api_key
    assert visualsearch("run", "--wait", cwd=project.root, VISUALSEARCH_API_KEY=key).code == 0
    project.configure(api={"scope": {"unique_id": "defualt"}}, state="./another-state")
    answer = visualsearch("run", cwd=project.root, VISUALSEARCH_API_KEY=key)
    said = answer.error_text
    assert "'defualt' holds no videos, and unique_id 'default' (1 videos) does" in said
    assert "api: {scope: {unique_id: default}}" in said
    assert said.index("holds no videos") < said.index("uploading")
    assert "holds no videos" not in visualsearch("run", cwd=project.root, VISUALSEARCH_API_KEY=key).error_text


def test_a_server_that_is_down_is_told_within_seconds_and_the_next_run_goes_on(
    make_project: MakeProject, free_port: int
) -> None:
    project = make_project(("red",))
    key = project.server.api_key
    address = f"http://127.0.0.1:{free_port}"
    # It takes the 2 s of `retry_seconds`, and what a busy machine makes of them.
    answer = visualsearch(
        "run", "--wait", cwd=project.root, VISUALSEARCH_API_KEY=key, VISUALSEARCH_BASE_URL=address, timeout_seconds=45
    )
    told(answer, "no connection", "Check", "base URL", code=1)

    answer = visualsearch("run", "--wait", cwd=project.root, VISUALSEARCH_API_KEY=key)
    assert answer.code == 0, answer
    assert len(project.calls("upload")) == 1


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "visualsearch.yaml").write_text("source: {path: ./fotage}\n")
    told(visualsearch("run", cwd=tmp_path, VISUALSEARCH_API_KEY=KEY), str(tmp_path / "fotage"), code=1)


@pytest.mark.parametrize("command", [("run",), ("status",)])
def test_a_state_folder_that_cannot_be_made_is_named(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "footage").mkdir()
    (tmp_path / "visualsearch.yaml").write_text("state: ./file/state\n")
    told(visualsearch(*command, cwd=tmp_path, VISUALSEARCH_API_KEY=KEY), str(tmp_path / "file"), code=1)


def test_the_installed_script_is_this_command_line(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("visualsearch")
    done = subprocess.run([script, "rnu"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, check=False)
    assert done.returncode == 2
    assert (REPOSITORY / "pyproject.toml").read_text().count('visualsearch = "visualsearch_pipeline.cli:main"') == 1
