"""What `workspace.yaml`, `dg` and `dagster dev` load: the pipeline that the settings file describes."""

import dagster as dg

from visualsearch_pipeline.orchestration import build_visual_search_defs
from visualsearch_pipeline.settings import load_settings


@dg.definitions
def defs() -> dg.Definitions:
    """The pipeline of `VISUALSEARCH_CONFIG`, else of `visualsearch.yaml` in the working directory."""
    return build_visual_search_defs(load_settings())
