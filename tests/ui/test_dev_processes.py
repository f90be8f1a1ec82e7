"""`visualsearch dev`, `dagster dev` and `dg dev`: they start, serve the code location, and leave no process behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.command_line import REPOSITORY, FinishedDemo, environment, finished_demo, visualsearch
from tests.running_ui import STOP_SECONDS, RunningUi, free_port, running, start_dev

LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus
  locationOrLoadError { __typename ... on PythonError { message } } } } } }
"""
SENSORS = "{ sensorsOrError(repositorySelector: %s) { ... on Sensors { results { name } } } }"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> FinishedDemo:
    return finished_demo(tmp_path_factory)


def served(ui: RunningUi) -> dict[str, str]:
    """Each code location that the UI serves, and whether it loaded."""
    entries = ui.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
    return {entry["name"]: entry["locationOrLoadError"]["__typename"] for entry in entries}


@pytest.mark.parametrize(
    ("number", "prefix"),
    [
        pytest.param(signal.SIGINT, "", id="Ctrl-C"),
        # Scripts start what is in the background with Ctrl-C ignored, and everything that it starts inherits that.
        pytest.param(signal.SIGTERM, "trap '' INT; ", id="SIGTERM in the background", marks=pytest.mark.soak),
    ],
)
def test_dev_stops_the_sandbox_and_the_ui_on_a_signal(
    number: signal.Signals, prefix: str, demo: FinishedDemo, tmp_path: Path
) -> None:
    with start_dev(demo.copied_to(tmp_path), port=free_port(), prefix=prefix) as ui:
        sandbox = ui.log.read_text().partition("sandbox at ")[2].split()[0]
        assert httpx.get(f"{sandbox}/_sandbox/clock", trust_env=False).status_code == httpx.codes.OK
        assert served(ui) == {"visualsearch_pipeline": "RepositoryLocation"}
        started = ui.descendants()
        assert len(started) >= 3  # the web server, the daemon, a code server

        ui.process.send_signal(number)

        assert ui.process.wait(STOP_SECONDS) == 0
        log = ui.log.read_text()
        assert "Shutting down Dagster services" in log  # asked, and not killed
        assert "superseded" not in log
        _gone, left = psutil.wait_procs(started, timeout=5)
        assert left == [], [process.cmdline() for process in left]
        for url in (ui.url, sandbox):
            with pytest.raises(httpx.ConnectError):
                httpx.get(url, trust_env=False)


def test_dev_without_a_demo_says_what_to_type_first(tmp_path: Path) -> None:
    answer = visualsearch("dev", cwd=tmp_path)
    assert answer.code == 2
    assert "`visualsearch demo`" in answer.error_text
    assert list(tmp_path.iterdir()) == []


def test_dev_on_a_taken_port_names_it_and_starts_nothing(demo: FinishedDemo) -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        port = somebody.getsockname()[1]
        answer = visualsearch("dev", "--folder", str(demo.folder), "--port", str(port), cwd=demo.cwd)
    assert answer.code == 2
    assert f"port {port}" in answer.error_text
    assert "--port" in answer.error_text


@pytest.mark.soak
@pytest.mark.parametrize("command", [("dagster", "dev", "-w", "workspace.yaml"), ("dg", "dev")])
def test_the_repository_is_served_by(command: tuple[str, ...], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
    port = free_port()
    with running(
        [str(BIN / command[0]), *command[1:], "--port", str(port), "--host", "127.0.0.1"],
        cwd=REPOSITORY,
        variables=environment(tmp_path, DAGSTER_HOME=str(home), VISUALSEARCH_CONFIG=str(settings_in(tmp_path))),
        port=port,
        log=tmp_path / "dev.log",
    ) as ui:
        assert served(ui) == {"visualsearch_pipeline": "RepositoryLocation"}
        selector = '{repositoryName: "__repository__", repositoryLocationName: "visualsearch_pipeline"}'
        sensors = ui.ask(SENSORS % selector)["sensorsOrError"]["results"]
        assert {"new_media", "indexing"} <= {sensor["name"] for sensor in sensors}


def test_the_definitions_check(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "dg", "check", "defs"],
        cwd=REPOSITORY,
        env=environment(tmp_path, VISUALSEARCH_CONFIG=str(settings_in(tmp_path))),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def settings_in(folder: Path) -> Path:
    """The repository's own settings, with their state elsewhere."""
    path = folder / "visualsearch.yaml"
    text = (REPOSITORY / "visualsearch.yaml").read_text().replace("./queries", str(REPOSITORY / "queries"))
    path.write_text(text)
    return path
