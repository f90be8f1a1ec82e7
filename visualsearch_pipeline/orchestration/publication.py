"""The asset `warehouse`: all tables in one DuckDB file."""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

from collections.abc import Iterator, Sequence
from typing import cast

import dagster as dg

from visualsearch_pipeline.orchestration import checks
from visualsearch_pipeline.orchestration.automation import once_anything_changed
from visualsearch_pipeline.orchestration.day_asset import op_name
from visualsearch_pipeline.orchestration.keys import GROUP, AssetKeys
from visualsearch_pipeline.orchestration.steps import StepEvent, StepRunner
from visualsearch_pipeline.pipeline.alerts import send_alerts
from visualsearch_pipeline.pipeline.publish import publish


def warehouse_asset(runner: StepRunner, keys: AssetKeys, *, hits: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset `warehouse`: not partitioned, and up to date with all days whenever it is materialized."""
    # What stands above these reaches the tables through the ledger; naming it again would only blur the graph.
    upstream = (keys.transcripts, keys.captions, keys.archive, *hits)
    spec = dg.AssetSpec(
        keys.warehouse,
        deps=[dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping()) for key in upstream],
        group_name=GROUP,
        kinds={"duckdb", "parquet"},
        automation_condition=once_anything_changed(),
        description=(
            f"All tables in one read-only DuckDB file: `{runner.settings.database_path}`.\n\n"
            "- **Grain**: the database. It has no partitions: one materialization brings in every day that changed.\n"
            "- **Cost**: none; nothing is made if nothing changed.\n"
            "- Built aside and swapped in, so that nobody who reads is ever locked out. If it fails, the earlier one "
            "stands."
        ),
    )

    @dg.multi_asset(
        name=op_name(keys.warehouse),
        specs=[spec],
        check_specs=checks.warehouse_checks(keys.warehouse),
        required_resource_keys={runner.resource_key},
    )
    def warehouse(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[object]]:
        # Check results come too; Dagster takes no union of the two where an op has several outputs.
        yield from cast("Iterator[dg.MaterializeResult[object]]", runner.run(context, events(context)))

    def events(context: dg.AssetExecutionContext) -> Iterator[StepEvent]:
        with runner.open(context) as pipeline:
            publication = publish(pipeline)
            # Once they are published, so that whoever reads an alert finds its hits.
            alerts = send_alerts(pipeline)
            yield dg.MaterializeResult(
                asset_key=keys.warehouse,
                metadata={
                    "database": dg.MetadataValue.path(str(publication.database_path)),
                    "changed": dg.MetadataValue.bool(publication.changed),
                    "rebuilt": dg.MetadataValue.bool(publication.changed and publication.rebuilt),
                    "size_bytes": dg.MetadataValue.int(publication.size_bytes),
                    "dagster/row_count": dg.MetadataValue.int(publication.row_counts["hits"]),
                    "alerts_delivered": dg.MetadataValue.int(alerts.delivered),
                    "alerts_not_delivered": dg.MetadataValue.int(alerts.failed + alerts.given_up),
                    **{f"{name}_rows": dg.MetadataValue.int(rows) for name, rows in publication.row_counts.items()},
                },
                check_results=checks.judge_warehouse(keys.warehouse, pipeline),
            )

    return warehouse
