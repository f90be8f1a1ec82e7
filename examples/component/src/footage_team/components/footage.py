"""The component as this team uses it."""

import time
from collections.abc import Iterator

import dagster as dg

from visualsearch_pipeline import VisualSearchComponent
from visualsearch_pipeline.orchestration import StepEvent


class FootageComponent(VisualSearchComponent):
    """Footage of the south, with the team's tags and with the time that each step took."""

    def get_asset_spec(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        """Put every asset into the team's group, and tag what costs money."""
        spec = super().get_asset_spec(spec).replace_attributes(group_name="south")
        costs = spec.key.path[-1] in {"uploads", "transcripts", "captions", "archive"} or "hits" in spec.key.path
        return spec.merge_attributes(tags={"billable": str(costs).lower()})

    def execute(self, context: dg.AssetExecutionContext, step: Iterator[StepEvent]) -> Iterator[StepEvent]:
        """Run the step and say how long it took."""
        began_at = time.monotonic()
        yield from super().execute(context, step)
        context.log.info("%s took %.1f s", context.op.name, time.monotonic() - began_at)
