"""The table of what was imported from social platforms."""

from __future__ import annotations

from typing import Final

from visualsearch_pipeline.warehouse.shared_columns import DAY, STRING, VIDEO_NO
from visualsearch_pipeline.warehouse.table_spec import TIMESTAMP, ColumnSpec, TableSpec

IMPORTED_VIDEOS: Final = TableSpec(
    name="imported_videos",
    description=(
        "One row per video that an import brought, each time it did. Private ones are in videos too; public ones are "
        "the service's, and are only named here."
    ),
    columns=(
        ColumnSpec("entry_id", STRING, "The import's id in the file of imports.", nullable=False),
        ColumnSpec("day", DAY, "The UTC date on which the import was due.", nullable=False),
        VIDEO_NO,
        ColumnSpec("library", STRING, "private or public.", nullable=False),
        ColumnSpec("video_name", STRING, "Its title, as the service knows it."),
        ColumnSpec("post_url", STRING, "Where the post is, as the service says."),
        ColumnSpec("imported_at", TIMESTAMP, "When the service first told of it.", nullable=False),
    ),
    sort_by=(("day", "ascending"), ("entry_id", "ascending"), ("video_no", "ascending")),
)
