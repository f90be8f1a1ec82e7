"""The ledger's tables of private images: where they lie, how they got into the library, what was asked about them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, Table

from visualsearch_pipeline.ledger.column_types import ByteCount, Sha256, Text, UtcDateTime, state_type
from visualsearch_pipeline.ledger.schema import metadata
from visualsearch_pipeline.ledger.shared_columns import (
    capture_columns,
    lease_columns,
    question_columns,
    sending_columns,
)
from visualsearch_pipeline.ledger.states import ItemState, UploadState

images = Table(
    "images",
    metadata,
    Column("sha256", Sha256, primary_key=True),
    Column("day", Date, nullable=False, index=True, comment="The day of the file that brought it first."),
    Column("uri", Text, nullable=False, comment="The file that brought it first."),
    Column("name", Text, nullable=False),
    Column("size_bytes", ByteCount, nullable=False),
    Column("format", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    *capture_columns(),
    Column("upload_name", Text, nullable=False, comment="Unique; carries the hash."),
    Column("state", state_type(UploadState), nullable=False, index=True),
    Column(
        "batch", Text, comment="SHA-256 of the first image of the request that sent it; its tag reaches all of them."
    ),
    Column("batch_size", Integer, nullable=False, default=0, comment="How many images that request had."),
    Column("attempts", Integer, nullable=False, default=0),
    *lease_columns(),
    *sending_columns(),
    Column("image_id", Text, index=True, comment="A 64-bit number kept as text (contract §1.6)."),
    Column("adopted", Boolean, nullable=False, default=False, comment="Found in the library instead of answered."),
    Column("reason", Text),
    Column("first_seen_at", UtcDateTime, nullable=False),
)

image_items = Table(
    "image_items",
    metadata,
    Column("uri", Text, primary_key=True, comment="Where the image lies in the source."),
    Column("name", Text, nullable=False),
    Column("day", Date, nullable=False, index=True, comment="Partition key: fixed when first seen."),
    Column("state", state_type(ItemState), nullable=False, index=True),
    Column("reason", Text),
    Column("size_bytes", ByteCount, nullable=False),
    Column("modified_at", UtcDateTime),
    Column("etag", Text),
    Column("sha256", Sha256, ForeignKey("images.sha256"), index=True),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

image_coverage = Table(
    "image_coverage",
    metadata,
    *question_columns(),
    Column("image_id", Text, primary_key=True),
    Column("day", Date, nullable=False),
    Column("hits", Integer, nullable=False, comment="0 or 1: an image is found or it is not."),
    Column("truncated", Boolean, nullable=False),
    Column("searched_at", UtcDateTime, nullable=False),
    Column("run_id", Text, nullable=False),
    Index("image_coverage_by_set_and_day", "query_set", "day"),
)
