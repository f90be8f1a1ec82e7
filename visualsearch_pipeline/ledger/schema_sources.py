"""The ledger's tables of what the service fetches itself: videos by their URL, and imports from social platforms."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Date, Float, Integer, Table

from visualsearch_pipeline.ledger.column_types import Sha256, Text, UtcDateTime, state_type
from visualsearch_pipeline.ledger.schema import metadata
from visualsearch_pipeline.ledger.shared_columns import lease_columns, sending_columns
from visualsearch_pipeline.ledger.states import ImportState, UploadState

url_uploads = Table(
    "url_uploads",
    metadata,
    Column(
        "identity",
        Sha256,
        primary_key=True,
        comment="SHA-256 of the URL without its signature. The URL itself may carry a token and is not kept.",
    ),
    Column("uri", Text, nullable=False, unique=True, comment="The URL as it may be shown: no value of its query."),
    Column("name", Text, nullable=False),
    Column("day", Date, nullable=False, index=True, comment="Partition key: fixed when first seen."),
    Column("tags", JSON, nullable=False, comment="Those that the list gives it."),
    Column("place", Text, nullable=False, comment="File and line of the list that named it last."),
    Column("is_wanted", Boolean, nullable=False, comment="Whether the list names it, with a day that counts."),
    Column("state", state_type(UploadState), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    *lease_columns(),
    *sending_columns(),
    Column("video_no", Text, index=True),
    Column("adopted", Boolean, nullable=False, comment="Found in the library instead of answered."),
    Column("reason", Text),
    Column("first_seen_at", UtcDateTime, nullable=False),
)

import_tasks = Table(
    "import_tasks",
    metadata,
    Column("entry_id", Text, primary_key=True, comment="The import's id in the file of imports."),
    Column("day", Date, primary_key=True, comment="Partition key: the UTC date on which it was due."),
    Column("kind", Text, nullable=False, comment="creator, hashtags or posts"),
    Column("platform", Text, nullable=False),
    Column("library", Text, nullable=False, comment="private or public"),
    Column("asks", Text, nullable=False, comment="What is imported, for people."),
    Column("definition", Sha256, nullable=False, comment="Hash of everything that is asked."),
    Column("expected_videos", Integer, nullable=False),
    Column("estimated_usd", Float, nullable=False),
    Column("state", state_type(ImportState), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    *lease_columns(),
    Column("intended_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("task_id", Text, index=True),
    Column("polled_at", UtcDateTime),
    Column("grown_at", UtcDateTime, comment="When it last brought a video that was not known."),
    Column("finished_at", UtcDateTime),
    Column("reason", Text),
)

imported_videos = Table(
    "imported_videos",
    metadata,
    Column("entry_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("video_no", Text, primary_key=True),
    Column("library", Text, nullable=False, comment="private or public"),
    Column("video_name", Text),
    Column("post_url", Text, comment="Where the post is, as the service says it."),
    Column("imported_at", UtcDateTime, nullable=False),
)
