"""The asset `report`: the page for people who would rather look, brought up to the published tables."""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from visualsearch_pipeline.orchestration.automation import once_anything_changed
from visualsearch_pipeline.orchestration.day_asset import op_name
from visualsearch_pipeline.orchestration.keys import GROUP, AssetKeys
from visualsearch_pipeline.orchestration.steps import StepEvent, StepRunner
from visualsearch_pipeline.report import write_report
from visualsearch_pipeline.report.errors import ReportError
from visualsearch_pipeline.warehouse import WarehouseError


def report_asset(runner: StepRunner, keys: AssetKeys) -> dg.AssetsDefinition:
    """The asset `report`: not partitioned; what did not change is not written again."""
    settings = runner.settings
    spec = dg.AssetSpec(
        keys.report,
        deps=[keys.warehouse],
        group_name=GROUP,
        kinds={"html"},
        automation_condition=once_anything_changed(),
        description=(
            f"A page that shows the hits, opened from a file and offline: `{settings.report_path / 'index.html'}`.\n\n"
            "- **Grain**: the page. It has no partitions.\n"
            "- **Cost**: none. Pictures and data that did not change are not written again."
        ),
    )

    @dg.multi_asset(name=op_name(keys.report), specs=[spec], required_resource_keys={runner.resource_key})
    def report(context: dg.AssetExecutionContext) -> Iterator[StepEvent]:
        return runner.run(context, events())

    def events() -> Iterator[StepEvent]:
        try:
            written = write_report(settings.database_path, settings.report_path, archive_root=settings.archive_root)
        except (ReportError, WarehouseError) as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        yield dg.MaterializeResult(
            asset_key=keys.report,
            metadata={
                "path": dg.MetadataValue.path(str(written.path)),
                "changed": dg.MetadataValue.bool(written.changed),
                "size_bytes": dg.MetadataValue.int(_size_bytes(written.path.parent)),
                "hits": dg.MetadataValue.int(written.hits),
                "hits_left_out": dg.MetadataValue.int(written.hits_total - written.hits),
                "pictures": dg.MetadataValue.int(written.pictures),
            },
        )

    return report


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
