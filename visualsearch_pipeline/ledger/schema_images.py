"""The ledger's tables of private images: where they lie, how they got into the library, what was asked about them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import Boolean, Column, Date, Enum, Float, ForeignKey, Index, Integer, String, Table

from visualsearch_pipeline.ledger.column_types import ByteCount, Text, UtcDateTime
from visualsearch_pipeline.ledger.schema import metadata
from visualsearch_pipeline.ledger.states import ItemState, UploadState

_SHA256_CHARACTERS: Final = 64


def _state(states: type[StrEnum]) -> Enum:
    return Enum(states, native_enum=False, length=16, values_callable=lambda kinds: [kind.value for kind in kinds])


images = Table(
    "images",
    metadata,
    Column("sha256", String(_SHA256_CHARACTERS), primary_key=True),
    Column("day", Date, nullable=False, index=True, comment="The day of the file that brought it first."),
    Column("uri", Text, nullable=False, comment="The file that brought it first."),
    Column("name", Text, nullable=False),
    Column("size_bytes", ByteCount, nullable=False),
    Column("format", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("captured_at", UtcDateTime),
    Column("camera_model", Text),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("upload_name", Text, nullable=False, comment="Unique; carries the hash."),
    Column("state", _state(UploadState), nullable=False, index=True),
    Column(
        "batch", Text, comment="SHA-256 of the first image of the request that sent it; its tag reaches all of them."
    ),
    Column("batch_size", Integer, nullable=False, default=0, comment="How many images that request had."),
    Column("attempts", Integer, nullable=False, default=0),
    Column("lease_owner", Text),
    Column("lease_expires_at", UtcDateTime),
    Column("intended_at", UtcDateTime, comment="When the first call that may have taken effect was decided on."),
    Column("attempted_at", UtcDateTime, comment="When the last such call was decided on."),
    Column("uploaded_at", UtcDateTime),
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
    Column("state", _state(ItemState), nullable=False, index=True),
    Column("reason", Text),
    Column("size_bytes", ByteCount, nullable=False),
    Column("modified_at", UtcDateTime),
    Column("etag", Text),
    Column("sha256", String(_SHA256_CHARACTERS), ForeignKey("images.sha256"), index=True),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

image_coverage = Table(
    "image_coverage",
    metadata,
    Column("query_set", Text, primary_key=True),
    Column("query_id", Text, primary_key=True),
    Column("query_version", Text, primary_key=True),
    Column("image_id", Text, primary_key=True),
    Column("day", Date, nullable=False),
    Column("hits", Integer, nullable=False, comment="0 or 1: an image is found or it is not."),
    Column("truncated", Boolean, nullable=False),
    Column("searched_at", UtcDateTime, nullable=False),
    Column("run_id", Text, nullable=False),
    Index("image_coverage_by_set_and_day", "query_set", "day"),
)
