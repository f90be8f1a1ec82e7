"""Dagster: the resource, the assets, their checks, the sensors and the schedule."""

from visualsearch_pipeline.orchestration.build import build_visual_search_defs
from visualsearch_pipeline.orchestration.resource import VisualSearchResource
from visualsearch_pipeline.orchestration.steps import StepEvent

__all__ = ["StepEvent", "VisualSearchResource", "build_visual_search_defs"]
