"""Running the demo: the sandbox beside the pipeline, to the end; or the sandbox beside the Dagster UI."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from visualsearch_pipeline.demo.project import DemoProject, open_project, write_project
from visualsearch_pipeline.demo.typed_command import typed_command
from visualsearch_pipeline.orchestration.execution import command_line_instance
from visualsearch_pipeline.pipeline.status import Status
from visualsearch_pipeline.sandbox import Sandbox, SandboxConfig, SandboxStartError
from visualsearch_pipeline.settings import (
    API_KEY_VARIABLE,
    BASE_URL_VARIABLE,
    CONFIG_VARIABLE,
    Settings,
    SettingsError,
    load_settings,
)
from visualsearch_pipeline.terminal import print_failures, print_rows, shown_path
from visualsearch_pipeline.warehouse import query
from visualsearch_pipeline.workflow import run_pending

_INDEXING_SECONDS: Final = 2.0
_STOP_SECONDS: Final = 30.0
_UI_HOST: Final = "127.0.0.1"
# `dg dev`, which it recommends, needs a project of its own around the demo.
_OLD_COMMAND_WARNING: Final = "ignore:Function `dev_command` is superseded"

_TOP_HITS: Final = """
    select query_id as query, media_name as media, round(start_seconds)::int as "from", round(end_seconds)::int as "to",
           round(score, 3) as score
    from hits join videos using (video_no)
    qualify row_number() over (partition by query_set, query_id order by score desc nulls last, start_seconds) <= 2
    order by query_set, query_id, score desc nulls last
"""


def run_demo(folder: Path, *, media: Path | None, out: Console, err: Console, timeout_seconds: float) -> Status:
    """Write the demo where it is not there yet, run it to the end against the sandbox, and show what came of it.

    Raises:
        SettingsError: there is no such footage, or the folder holds a demo of other footage.
        SandboxStartError: another sandbox is running on the demo's data.
        MediaError: a person's own footage cannot be listed.
    """
    project = open_project(folder, media=media)
    if media is not None and not media.is_dir():
        raise SettingsError(f"{project.footage}: there is no such folder. Name one that holds your footage.")
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
    """Run the sandbox and `dagster dev` together on a demo's data until one of them ends or is asked to stop.

    Returns:
        0 after Ctrl-C, SIGTERM or SIGHUP; the UI's own exit code if it ends by itself.

    Raises:
        SettingsError: there is no demo in `folder`, or the port is taken.
        SandboxStartError: another sandbox is running on the demo's data.
    """
    project = open_project(folder, media=None)
    if not project.exists:
        raise SettingsError(
            f"{shown_path(project.folder)} holds no demo yet. Type `visualsearch demo` (or `make demo`) first."
        )
    _refuse_taken_port(ui_port)
    with _stop_signals_as_interrupt(), _sandbox(project) as sandbox:
        settings = load_settings(project.settings_path)
        command_line_instance(settings).dispose()  # makes its folder with dagster.yaml
        environment = os.environ | _demo_environment(project, sandbox)
        environment |= {
            "DAGSTER_HOME": str(settings.state / "dagster"),
            CONFIG_VARIABLE: str(project.settings_path),
            "PYTHONWARNINGS": ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), _OLD_COMMAND_WARNING))),
        }
        err.print(Text(f"sandbox at {sandbox.url}"))
        err.print(Text(f"Dagster UI at http://{_UI_HOST}:{ui_port}, in some seconds (Ctrl-C stops both)"))
        try:
            return _run_ui(project, environment, ui_port)
        except KeyboardInterrupt:
            return 0


def _run_ui(project: DemoProject, environment: Mapping[str, str], port: int) -> int:
    """Run `dagster dev` until it ends or an interrupt comes; none of its processes is left behind either way."""
    dagster = str(Path(sys.executable).with_name("dagster"))
    command = [dagster, "dev", "-w", str(project.workspace_path), "--port", str(port), "--host", _UI_HOST]
    # In a session of its own, so that a Ctrl-C reaches it once: from us.
    process = subprocess.Popen(command, env=environment, cwd=project.folder, start_new_session=True)  # noqa: S603  ours
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        raise
    finally:
        # Asked once and not gone, or interrupted again while it went: then all of them at once.
        _kill_session(process)


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _stop_signals_as_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP (a closed terminal) do what Ctrl-C does."""
    # SIGINT is among them, because scripts start what is in the background with SIGINT ignored, and the UI, which would
    # inherit that, could not be stopped any more. SIGHUP stays ignored where it is: that is what `nohup` is for.
    numbers = [signal.SIGINT, signal.SIGTERM]
    numbers += [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN else []
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _refuse_taken_port(port: int) -> None:
    # The UI itself would say so only after half a minute, in a traceback.
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_UI_HOST, port))
        except OSError as error:
            raise SettingsError(
                f"cannot open the Dagster UI on port {port}: {error.strerror}. Choose another with --port "
                "(`make dev PORT=3001`)."
            ) from error


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
    folder = shlex.quote(shown_path(project.folder))
    settings_path = shlex.quote(shown_path(project.settings_path))
    command = typed_command()
    lines = (
        ("tables", shown_path(Path(settings.database_path))),
        ("in SQL", f'{command} sql --config {settings_path} "from hits limit 5"'),
        ("in the UI", f"{command} dev --folder {folder}"),
        ("anew", f"rm -r {folder}"),
    )
    out.print()
    for name, value in lines:
        out.print(Text.assemble((f"{name:<10}", "bold"), value), soft_wrap=True)
