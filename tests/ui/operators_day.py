"""What an operator finds in the morning: three days of footage, nothing run yet, and the Dagster UI before them.

Nothing in here clicks; it is what a walk through the UI begins with, and what its outcome is told by.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.command_line import REPOSITORY, environment
from tests.running_ui import RunningUi, free_port, running
from tests.waiting import wait_until
from visualsearch_pipeline.demo.project import DemoProject, open_project, write_project
from visualsearch_pipeline.sandbox import Sandbox, SandboxConfig
from visualsearch_pipeline.settings import API_KEY_VARIABLE, CONFIG_VARIABLE, Settings, load_settings
from visualsearch_pipeline.warehouse import query

if TYPE_CHECKING:
    from visualsearch_pipeline.sandbox import JournalEntry

BIN: Final = Path(sys.executable).parent
API_KEY: Final = "sk-mavi-000000000000000000operator"
SENSOR_SECONDS: Final = 5
INDEXING_SECONDS: Final = 2.0
_ENDED: Final = ("SUCCESS", "FAILURE", "CANCELED")
_PARTITIONS: Final = """
query Partitions($keys: [AssetKeyInput!]) { assetNodes(assetKeys: $keys) {
  assetPartitionStatuses { ... on TimePartitionStatuses { ranges { status startKey endKey } } } } }
"""
_RUNS: Final = """
{ runsOrError(limit: 500) { ... on Runs { results { runId status assetSelection { path } tags { key value } } } } }
"""
_SENSORS: Final = """
{ sensorsOrError(repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: "visualsearch_pipeline" }) {
  ... on Sensors { results { name sensorState { status } } } } }
"""
_BACKFILLS: Final = "{ partitionBackfillsOrError { ... on PartitionBackfills { results { status } } } }"


@dataclass(frozen=True)
class OperatorsDay:
    """A project with the demo's clips, the service it talks to, and `dagster dev`."""

    root: Path
    demo: DemoProject
    server: Sandbox
    ui: RunningUi

    @property
    def footage(self) -> Path:
        return self.demo.footage

    @property
    def settings(self) -> Settings:
        return load_settings(self.demo.settings_path, environ={})

    @property
    def days(self) -> tuple[date, date, date]:
        """The three days of the footage, oldest first."""
        today = datetime.now(UTC).date()
        return (today - timedelta(days=3), today - timedelta(days=2), today - timedelta(days=1))

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the published DuckDB file; nothing while there is none."""
        if not Path(self.settings.database_path).exists():
            return []
        return [tuple(row) for row in query(self.settings.database_path, statement).rows]

    def day_states(self, asset: str) -> dict[str, str]:
        """How the UI shows each day of an asset; days that never were materialized are left out."""
        (node,) = self.ui.ask(_PARTITIONS, keys=[{"path": asset.split("/")}])["assetNodes"]
        states = {}
        for stretch in node["assetPartitionStatuses"]["ranges"]:
            first, last = (date.fromisoformat(stretch[key]) for key in ("startKey", "endKey"))
            for number in range((last - first).days + 1):
                states[(first + timedelta(days=number)).isoformat()] = stretch["status"]
        return states

    def runs(self) -> list[dict[str, Any]]:
        """Every run, newest first."""
        found: list[dict[str, Any]] = self.ui.ask(_RUNS)["runsOrError"]["results"]
        return found

    def sensors_that_are_on(self) -> set[str]:
        """The sensors that the daemon evaluates."""
        found = self.ui.ask(_SENSORS)["sensorsOrError"]["results"]
        return {sensor["name"] for sensor in found if sensor["sensorState"]["status"] == "RUNNING"}

    def is_at_rest(self) -> bool:
        """Whether nothing is queued and nothing runs."""
        return all(run["status"] in _ENDED for run in self.runs()) and not any(
            backfill["status"] == "REQUESTED"
            for backfill in self.ui.ask(_BACKFILLS)["partitionBackfillsOrError"]["results"]
        )

    def wait_until(self, holds: Callable[[], bool], *, seconds: float = 180) -> None:
        """Wait for something to come true."""
        wait_until(
            holds,
            seconds=seconds,
            told=lambda: f"{self.runs()}\n{self.ui.log.read_text()[-3000:]}",
            poll_seconds=0.5,
        )

    def mark(self) -> int:
        """Where the service's journal ends now."""
        entries = self.server.journal()
        return entries[-1].sequence if entries else 0

    def calls(self, *operations: str, since: int = 0) -> list[JournalEntry]:
        """The requests that reached the service since then, of some operations."""
        return [entry for entry in self.server.journal(since=since) if entry.operation in operations]


@contextmanager
def operators_day(root: Path) -> Iterator[OperatorsDay]:
    """Lay the project out and start everything; stopped when the context is left."""
    demo = open_project(root, media=None)
    config = SandboxConfig(state_dir=root / "sandbox", api_keys={API_KEY: "account"}, indexing_seconds=INDEXING_SECONDS)
    with Sandbox(config) as server:
        write_project(demo, base_url=server.url, own_footage=False)
        settings = yaml.safe_load(demo.settings_path.read_text())
        settings["source"]["settle_seconds"] = 1
        demo.settings_path.write_text(yaml.safe_dump({**settings, "sensor_seconds": SENSOR_SECONDS}))
        home = root / "dagster home"
        home.mkdir()
        shutil.copyfile(REPOSITORY / "dagster.yaml", home / "dagster.yaml")
        port = free_port()
        command = [str(BIN / "dagster"), "dev", "-w", str(REPOSITORY / "workspace.yaml")]
        variables = environment(
            root,
            DAGSTER_HOME=str(home),
            **{API_KEY_VARIABLE: API_KEY, CONFIG_VARIABLE: str(demo.settings_path)},
        )
        with running(
            [*command, "-p", str(port), "-h", "127.0.0.1"],
            cwd=root,
            variables=variables,
            port=port,
            log=root / "dev.log",
        ) as ui:
            yield OperatorsDay(root, demo, server, ui)
