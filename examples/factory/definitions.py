"""The pipeline beside an asset of one's own, which reads what it publishes."""

from pathlib import Path

import dagster as dg

from visualsearch_pipeline import open_warehouse
from visualsearch_pipeline.orchestration import build_visual_search_defs
from visualsearch_pipeline.settings import load_settings

settings = load_settings(Path(__file__).with_name("visualsearch.yaml"))


@dg.asset(
    deps=[dg.AssetKey(["footage", "warehouse"])],
    automation_condition=dg.AutomationCondition.eager(),
    group_name="reports",
    kinds={"duckdb", "csv"},
)
def sightings_by_day() -> dg.MaterializeResult:
    """How many moments each query found on each day, as a file for those who want no database."""
    with open_warehouse(settings.database_path) as warehouse:
        table = warehouse.sql("SELECT day, query_id, count(*) AS moments FROM street GROUP BY ALL ORDER BY ALL")
        sightings = table.to_pandas()
    path = settings.state / "sightings.csv"
    sightings.to_csv(path, index=False)
    return dg.MaterializeResult(
        metadata={"path": dg.MetadataValue.path(str(path)), "dagster/row_count": len(sightings)}
    )


defs = dg.Definitions.merge(
    build_visual_search_defs(settings, prefix=["footage"]),
    dg.Definitions(assets=[sightings_by_day]),
)
