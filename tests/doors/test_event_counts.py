"""What Dagster stores of a run grows with days, and not with what lies in them: its database stays small."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from tests.pipeline.seeded_library import SeededLibrary
from visualsearch_pipeline.orchestration import build_visual_search_defs

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

MOST_EVENTS_PER_RUN = 60
"""Start and end of run, step, resource, and each output and check: however many days there are."""


def events_of_a_range_run(project: Project, *, videos_per_day: int, day_count: int) -> int:
    library = SeededLibrary(project)
    first = project.today - timedelta(days=day_count)
    days = [first + timedelta(days=number) for number in range(day_count)]
    library.add({day: [["a zebra"]] * videos_per_day for day in days})
    tags = {
        "dagster/asset_partition_range_start": days[0].isoformat(),
        "dagster/asset_partition_range_end": days[-1].isoformat(),
    }
    job = build_visual_search_defs(project.settings).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        street = dg.AssetKey(["hits", "street"])
        result = job.execute_in_process(instance=instance, asset_selection=[street], tags=tags)
        assert len(instance.get_materialized_partitions(street)) == day_count
        return len(instance.all_logs(result.run_id))


def test_a_range_run_makes_events_for_days_and_not_for_items(make_project: MakeProject) -> None:
    counts = {}
    for videos_per_day, day_count in ((1, 10), (20, 10), (1, 20)):
        project = make_project(())
        project.write_queries("street", "queries: [{id: zebra, text: zebra, filtering_level: high}]")
        counts[videos_per_day, day_count] = events_of_a_range_run(
            project, videos_per_day=videos_per_day, day_count=day_count
        )
    assert counts[20, 10] == counts[1, 10], "twenty times the videos, and not one event more"
    per_day = (counts[1, 20] - counts[1, 10]) / 10
    assert 0 < per_day <= 2, "a materialization per day"
    assert counts[1, 20] <= MOST_EVENTS_PER_RUN + 2 * 20
