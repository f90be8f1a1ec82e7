"""What the commands do, behind their options: run, status, demo, and the UI on the demo's data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from visualsearch_pipeline.api import VisualSearchError
from visualsearch_pipeline.demo.project import DemoProject, open_project, write_project
from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.media import MediaError
from visualsearch_pipeline.orchestration import VisualSearchResource
from visualsearch_pipeline.orchestration.execution import PendingRunner, RunFailed, command_line_instance
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.status import Status, read_status
from visualsearch_pipeline.sandbox import Sandbox, SandboxConfig, SandboxStartError
from visualsearch_pipeline.settings import (
    API_KEY_VARIABLE,
    BASE_URL_VARIABLE,
    CONFIG_VARIABLE,
    Settings,
    SettingsError,
    load_settings,
)
from visualsearch_pipeline.terminal import TerminalProgress, print_failures, print_rows
from visualsearch_pipeline.warehouse import WarehouseError, query

EXPECTED_ERRORS: Final = (
    LedgerError,
    MediaError,
    PipelineError,
    RunFailed,
    SandboxStartError,
    VisualSearchError,
    WarehouseError,
)
"""Errors that people can do something about; their messages say what."""

_INDEXING_SECONDS: Final = 2.0
_STOP_SECONDS: Final = 30.0

_TOP_HITS: Final = """
    select query_id as query, media_name as media, round(start_seconds)::int as "from", round(end_seconds)::int as "to",
           round(score, 3) as score
    from hits join videos using (video_no)
    qualify row_number() over (partition by query_set, query_id order by score desc nulls last, start_seconds) <= 2
    order by query_set, query_id, score desc nulls last
"""


def run_pending(settings: Settings, *, console: Console, wait: bool, timeout_seconds: float | None) -> Status:
    """Do what is pending, with progress on `console`. Raises as `PendingRunner.run`."""
    with command_line_instance(settings) as instance:
        runner = PendingRunner(settings, instance, TerminalProgress(console))
        return runner.run(wait=wait, timeout_seconds=timeout_seconds)


def current_status(settings: Settings) -> Status:
    """Where everything stands; makes no call."""
    resource = VisualSearchResource.from_settings(settings)
    with StepRunner(settings).pipeline(resource, run_id="status") as pipeline:
        return read_status(pipeline)


def run_demo(folder: Path, *, media: Path | None, out: Console, err: Console, timeout_seconds: float) -> Status:
    """Write the demo where it is not there yet, run it to the end against the sandbox, and show what came of it."""
    project = open_project(folder, media=media)
    with _sandbox(project) as sandbox:
        if not project.exists:
            what = f"looking through {project.footage}" if media else f"making sample clips in {project.footage}"
            err.print(Text(what))
            write_project(project, base_url=sandbox.url, own_footage=media is not None)
        elif media is not None and str(project.footage) != load_settings(project.settings_path).source.path:
            raise SettingsError(
                f"{project.folder} holds a demo of other footage. Delete it, or name another with --folder."
            )
        with _environment(_demo_environment(project, sandbox)):
            settings = load_settings(project.settings_path)
            status = run_pending(settings, console=err, wait=True, timeout_seconds=timeout_seconds)
    _show(project, settings, status, out=out)
    return status


def run_dev(folder: Path, *, ui_port: int, err: Console) -> int:
    """Run the sandbox and `dagster dev` together on a demo's data until one of them ends or Ctrl-C comes."""
    project = open_project(folder, media=None)
    if not project.exists:
        raise SettingsError(f"{project.folder} holds no demo yet: type `visualsearch demo` (or `make demo`) first.")
    with _sandbox(project) as sandbox:
        settings = load_settings(project.settings_path)
        command_line_instance(settings).dispose()  # makes its folder with dagster.yaml
        environment = os.environ | _demo_environment(project, sandbox)
        environment |= {"DAGSTER_HOME": str(settings.state / "dagster"), CONFIG_VARIABLE: str(project.settings_path)}
        err.print(Text(f"sandbox at {sandbox.url}; the Dagster UI at http://127.0.0.1:{ui_port} (Ctrl-C stops both)"))
        dagster = Path(sys.executable).with_name("dagster")
        command = [
            str(dagster),
            "dev",
            "-w",
            str(project.workspace_path),
            "--port",
            str(ui_port),
            "--host",
            "127.0.0.1",
        ]
        # In a session of its own, so that a Ctrl-C reaches it once: from us.
        with subprocess.Popen(  # noqa: S603  our own command
            command, env=environment, cwd=project.folder, start_new_session=True
        ) as process:
            return _wait(process)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the UI to end; pass on a request to stop, and insist if it is not followed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return 0


@contextmanager
def _sandbox(project: DemoProject) -> Iterator[Sandbox]:
    """The demo's sandbox, at the address in its settings where that is free."""
    port = 0
    if project.exists:
        port = int(load_settings(project.settings_path, environ={}).api.base_url.rpartition(":")[2])
    config = SandboxConfig(state_dir=project.sandbox_state, indexing_seconds=_INDEXING_SECONDS, port=port, admin=True)
    try:
        sandbox = Sandbox(config).start()
    except SandboxStartError:
        if not port:
            raise
        sandbox = Sandbox(config.model_copy(update={"port": 0})).start()
    try:
        yield sandbox
    finally:
        sandbox.stop()


def _demo_environment(project: DemoProject, sandbox: Sandbox) -> dict[str, str]:
    return {
        API_KEY_VARIABLE: sandbox.api_key,
        BASE_URL_VARIABLE: sandbox.url,
        "DAGSTER_HOME": str(project.folder / "state" / "dagster"),
    }


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for as long as the demo runs: its own key and address must not leak into what comes after."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _show(project: DemoProject, settings: Settings, status: Status, *, out: Console) -> None:
    answer = query(settings.database_path, _TOP_HITS)
    out.print(Text(f"\n{status.hits} hits; the best of each query:", style="bold"))
    print_rows(out, answer.columns, answer.rows)
    print_failures(out, status)
    folder = _shown(project.folder)
    lines = (
        ("tables", _shown(settings.database_path)),
        ("in SQL", f'visualsearch sql --config {folder}/visualsearch.yaml "from hits limit 5"'),
        ("in the UI", f"visualsearch dev --folder {folder}"),
        ("anew", f"rm -r {folder}"),
    )
    out.print()
    for name, value in lines:
        out.print(Text.assemble((f"{name:<10}", "bold"), value), soft_wrap=True)


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
