"""What Dagster's daemon does for one project, a step at a time: evaluates sensors and conditions, runs what they ask.

The definitions, the instance and the runs are real; only the waiting between ticks is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from visualsearch_pipeline.orchestration import VisualSearchResource, build_visual_search_defs
from visualsearch_pipeline.orchestration.keys import AssetKeys

if TYPE_CHECKING:
    from tests.conftest import Project

IN_ORDER = ("hits/street", "transcripts", "captions", "archive", "warehouse")
"""What conditions ask for, dependencies first."""


@dataclass(frozen=True)
class AskedFor:
    """One asset of one day that was asked for; no day for what has none."""

    asset: str
    day: date | None


class Daemon:
    """The sensors and conditions of one project.

    Attributes:
        asked: All that was asked for so far, in order.
    """

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        self.definitions = build_visual_search_defs(project.settings)
        self.instance = instance
        self.asked: list[AskedFor] = []
        self._resource = VisualSearchResource.from_settings(project.settings).model_copy(
            update={"api_key": project.server.api_key}
        )
        self._seen: set[str] = set()
        self._cursors: dict[str, str | None] = {}
        self._automation: Any = None

    def tick(self, name: str, *, cursor: str | None = None) -> Any:
        """Evaluate a sensor with the cursor that it left, or with another one."""
        sensor = self.definitions.resolve_sensor_def(name)
        with dg.build_sensor_context(
            instance=self.instance,
            definitions=self.definitions,
            cursor=cursor if cursor is not None else self._cursors.get(name),
            resources={AssetKeys().resource: self._resource},
        ) as context:
            result = sensor.evaluate_tick(context)
        self._cursors[name] = result.cursor
        return result

    def cursor(self, name: str) -> str:
        """What a sensor has left."""
        left = self._cursors[name]
        assert left is not None
        return left

    def request(self, name: str) -> list[dg.RunRequest]:
        """Evaluate, and leave out the run keys that were requested before, as the daemon does."""
        requests = [request for request in self.tick(name).run_requests or () if request.run_key not in self._seen]
        self._seen |= {request.run_key for request in requests if request.run_key}
        for request in requests:
            assets = [key.to_user_string() for key in request.asset_selection or ()]
            self.asked += [AskedFor(asset, day) for asset in assets for day in sorted(days([request]))]
        return requests

    def execute(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Run what was requested."""
        return self.materialize(request.asset_selection or (), request.tags)

    def materialize(self, assets: Iterable[dg.AssetKey], tags: Any) -> dg.ExecuteInProcessResult:
        """Materialize assets in one run."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance, asset_selection=list(assets), tags=dict(tags), raise_on_error=False
        )

    def evaluate_conditions(self) -> list[AskedFor]:
        """What the conditions ask for now, dependencies first."""
        result = dg.evaluate_automation_conditions(
            defs=self.definitions,
            instance=self.instance,
            asset_selection=dg.AssetSelection.assets(*(name.split("/") for name in IN_ORDER)),
            cursor=self._automation,
        )
        self._automation = result.cursor
        asked = [
            AskedFor(name, date.fromisoformat(partition) if partition else None)
            for name in IN_ORDER
            for partition in sorted(result.get_requested_partitions(dg.AssetKey(name.split("/"))), key=str)
        ]
        self.asked += asked
        return asked

    def follow(self) -> list[AskedFor]:
        """Evaluate the conditions, and run what they ask for until they ask for nothing more."""
        followed: list[AskedFor] = []
        while asked := self.evaluate_conditions():
            for one in asked:
                self.materialize_one(one.asset, one.day)
            followed += asked
        return followed

    def materialize_one(self, asset: str, day: date | None) -> None:
        """Materialize one asset, of one day if it has days."""
        tags = {"dagster/partition": day.isoformat()} if day else {}
        assert self.materialize([dg.AssetKey(asset.split("/"))], tags).success

    def evaluate_schedule(self, at: datetime) -> Any:
        """Evaluate the schedule `daily`."""
        schedule = self.definitions.resolve_schedule_def("daily")
        with dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=at,
            repository_def=self.definitions.get_repository_def(),
            resources={AssetKeys().resource: self._resource},
        ) as context:
            return schedule.evaluate_tick(context)


def days(requests: Iterable[dg.RunRequest]) -> set[date]:
    """The days that are requested, ranges included."""
    found: set[date] = set()
    for request in requests:
        tags = request.tags
        single = request.partition_key or tags.get("dagster/partition")
        first = date.fromisoformat(single or tags["dagster/asset_partition_range_start"])
        last = date.fromisoformat(single or tags["dagster/asset_partition_range_end"])
        found |= {first + timedelta(days=number) for number in range((last - first).days + 1)}
    return found
