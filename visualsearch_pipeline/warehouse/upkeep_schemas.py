"""Tables of what comes after the work: sums of calls of long ago, and what was deleted from the library."""

from __future__ import annotations

from typing import Final

from visualsearch_pipeline.warehouse.shared_columns import DAY, DOUBLE, INTEGER, ITEM_DAY, STRING
from visualsearch_pipeline.warehouse.table_spec import TIMESTAMP, ColumnSpec, TableSpec

API_CALL_TOTALS: Final = TableSpec(
    name="api_call_totals",
    description=(
        "One row per day, operation, outcome and question of calls of long ago, which `visualsearch prune` took out of "
        "api_calls. No call is in both."
    ),
    columns=(
        ColumnSpec("day", DAY, "The UTC date on which the calls began.", nullable=False),
        ColumnSpec("operation", STRING, "What was asked of the service, such as upload or search.", nullable=False),
        ColumnSpec("outcome", STRING, "ok, or the kind of error.", nullable=False),
        ColumnSpec("asked", STRING, "Of searches: the text, phrase or image that was asked."),
        ColumnSpec("calls", INTEGER, "How many calls there were.", nullable=False),
        ColumnSpec("cost_usd", DOUBLE, "What they cost by the price table, in US dollars.", nullable=False),
    ),
    sort_by=(("day", "ascending"), ("operation", "ascending"), ("outcome", "ascending"), ("asked", "ascending")),
)

REMOTE_DELETIONS: Final = TableSpec(
    name="remote_deletions",
    description="One row per video that `visualsearch delete-remote` deleted from the library, or tried to.",
    columns=(
        ColumnSpec("video_no", STRING, "The video.", nullable=False),
        ITEM_DAY,
        ColumnSpec("sha256", STRING, "SHA-256 of the archived file, computed right before the call.", nullable=False),
        ColumnSpec("archived_path", STRING, "Where the original lies in the archive.", nullable=False),
        ColumnSpec("size_bytes", INTEGER, "Its size in bytes.", nullable=False),
        ColumnSpec("reason", STRING, "Why it was deleted, in the words of whoever did.", nullable=False),
        ColumnSpec("scope", STRING, "The part of the account that it was deleted from.", nullable=False),
        ColumnSpec("state", STRING, "intended, deleted or refused (still there after the call).", nullable=False),
        ColumnSpec("outcome", STRING, "What the library said afterwards."),
        ColumnSpec("intended_at", TIMESTAMP, "When it was decided on, before the call.", nullable=False),
        ColumnSpec("decided_at", TIMESTAMP, "When the library was seen to have it no more, or to have it still."),
        ColumnSpec("run_id", STRING, "The run that decided on it.", nullable=False),
    ),
    sort_by=(("day", "ascending"), ("video_no", "ascending")),
)
