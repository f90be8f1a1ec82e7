"""The tables of private images and of the public library. As in `schemas`, a change is additive."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from visualsearch_pipeline.warehouse.shared_columns import (
    ANSWERED_MEANING,
    BY_RANK,
    BY_SET_AND_DAY,
    COVERED_AT,
    COVERED_HITS,
    COVERED_TRUNCATED,
    DAY,
    DOUBLE,
    INTEGER,
    ITEM_DAY,
    KEYFRAME_COLUMNS,
    MATCH_COLUMNS,
    QUERY_COLUMNS,
    RANK,
    RUN_ID,
    SEARCHED_AT,
    SHA256,
    STRING,
    VIDEO_NAME,
    VIDEO_PLACE_COLUMNS,
)
from visualsearch_pipeline.warehouse.table_spec import TIMESTAMP, ColumnSpec, TableSpec

_ASKED_MEANING: Final = "Partition: the UTC date on which it was asked; the public library changes by itself."
_IMAGE_ID: Final = ColumnSpec("image_id", STRING, "The image in the service's library; a number of up to 19 digits.")
_CAPTURE_COLUMNS: Final = (
    ColumnSpec("captured_at", TIMESTAMP, "When it was taken, as the file says; without a zone it is taken for UTC."),
    ColumnSpec("camera_model", STRING, "The camera, as the file says."),
    ColumnSpec("latitude", DOUBLE, "Where it was taken, in degrees north."),
    ColumnSpec("longitude", DOUBLE, "Where it was taken, in degrees east."),
)

IMAGES: Final = TableSpec(
    name="images",
    description="One row per private image: the file it was, and how far it is into the service's library.",
    columns=(
        ColumnSpec("sha256", STRING, "SHA-256 of the file's bytes, hexadecimal.", nullable=False),
        _IMAGE_ID,
        ITEM_DAY,
        ColumnSpec("media_uri", STRING, "The source file.", nullable=False),
        ColumnSpec("media_name", STRING, "The source file's name."),
        ColumnSpec("state", STRING, "pending, sending, uncertain, uploaded or refused.", nullable=False),
        ColumnSpec("format", STRING, "JPEG, PNG, GIF, BMP or WEBP, as found in the file."),
        ColumnSpec("size_bytes", INTEGER, "Size of the file in bytes."),
        ColumnSpec("width", INTEGER, "Width in pixels."),
        ColumnSpec("height", INTEGER, "Height in pixels."),
        *_CAPTURE_COLUMNS,
        ColumnSpec("uploaded_at", TIMESTAMP, "When the service accepted it."),
        ColumnSpec("adopted", pa.bool_(), "Whether it was found in the library after its answer was lost."),
    ),
    sort_by=(("day", "ascending"), ("media_uri", "ascending")),
)

IMAGE_HITS: Final = TableSpec(
    name="image_hits",
    description="One row per private image that a saved query found.",
    columns=(
        *QUERY_COLUMNS,
        ITEM_DAY,
        ColumnSpec("image_id", STRING, "The image in the service's library.", nullable=False),
        SHA256,
        ColumnSpec("media_uri", STRING, "The source file."),
        ColumnSpec("image_name", STRING, "The image's name as the service knows it."),
        ColumnSpec("score", DOUBLE, "How well it matches, 0 to 1; absent where the service leaves it out."),
        RANK,
        *_CAPTURE_COLUMNS,
        ColumnSpec(
            "bucket", STRING, "Bucket of the image at the service, where it tells; its links expire and are not kept."
        ),
        ColumnSpec("blob", STRING, "Path of the image in that bucket."),
        SEARCHED_AT,
        RUN_ID,
        ColumnSpec(
            "found_at", TIMESTAMP, "When this query version first found it; absent in rows of before it was kept."
        ),
        ColumnSpec("found_run_id", STRING, "The run that first found it."),
    ),
    version=2,
    sort_by=BY_RANK,
    partition_by=BY_SET_AND_DAY,
)

IMAGE_COVERAGE: Final = TableSpec(
    name="image_coverage",
    description="One row per query version and private image that was searched, found or not.",
    columns=(
        *QUERY_COLUMNS,
        ColumnSpec("image_id", STRING, "The image that was searched.", nullable=False),
        ITEM_DAY,
        ColumnSpec("hits", INTEGER, "1 if it was found, else 0.", nullable=False),
        ColumnSpec("truncated", pa.bool_(), "Whether it may match beyond what the service can return.", nullable=False),
        COVERED_AT,
        RUN_ID,
    ),
    sort_by=(("query_id", "ascending"), ("query_version", "ascending"), ("image_id", "ascending")),
    partition_by=BY_SET_AND_DAY,
)

PUBLIC_HITS: Final = TableSpec(
    name="public_hits",
    description="One row per match in the public library, on each day on which it was asked.",
    columns=(
        *QUERY_COLUMNS,
        ColumnSpec("day", DAY, _ASKED_MEANING, nullable=False),
        ColumnSpec("platform", STRING, "tiktok, youtube or instagram; absent for phrases, which are searched on all."),
        ColumnSpec("video_no", STRING, "The public video.", nullable=False),
        VIDEO_NAME,
        *MATCH_COLUMNS,
        RANK,
        ColumnSpec("text", STRING, "The words that matched, where the service gives them."),
        *KEYFRAME_COLUMNS,
        *VIDEO_PLACE_COLUMNS,
        ColumnSpec("asked_at", TIMESTAMP, ANSWERED_MEANING, nullable=False),
        RUN_ID,
    ),
    sort_by=BY_RANK,
    partition_by=BY_SET_AND_DAY,
)

PUBLIC_VIDEOS: Final = TableSpec(
    name="public_videos",
    description="One row per public video that a query ever found, with what its platform said of it then.",
    columns=(
        ColumnSpec("video_no", STRING, "The public video.", nullable=False),
        ColumnSpec("day", DAY, "The UTC date on which a query found it first.", nullable=False),
        ColumnSpec("platform", STRING, "tiktok, youtube or instagram; absent where only phrases found it."),
        ColumnSpec("video_name", STRING, "Its title."),
        ColumnSpec("creator", STRING, "Who posted it."),
        ColumnSpec("hashtags", STRING, "As posted, in one text."),
        ColumnSpec("published", STRING, "When it was posted, in the service's words: epoch seconds where it was seen."),
        ColumnSpec("duration_seconds", DOUBLE, "Length in seconds."),
        ColumnSpec("like_count", INTEGER, "Likes when it was looked up."),
        ColumnSpec("share_count", INTEGER, "Shares when it was looked up."),
        ColumnSpec("comment_count", INTEGER, "Comments when it was looked up."),
        ColumnSpec("view_count", INTEGER, "Views when it was looked up."),
        ColumnSpec("collect_count", INTEGER, "How many kept it when it was looked up."),
        ColumnSpec("video_url", STRING, "The post's address, without its parameters but YouTube's `v`."),
        ColumnSpec("is_known", pa.bool_(), "Whether the service had a detail of it; absent while it was not asked."),
        ColumnSpec("fetched_at", TIMESTAMP, "When it was looked up."),
    ),
    sort_by=(("day", "ascending"), ("video_no", "ascending")),
)

PUBLIC_ANSWERS: Final = TableSpec(
    name="public_answers",
    description="One row per query version and day on which the public library was asked, with or without hits.",
    columns=(
        *QUERY_COLUMNS,
        ColumnSpec("day", DAY, "The UTC date on which it was asked.", nullable=False),
        COVERED_HITS,
        COVERED_TRUNCATED,
        ColumnSpec("calls", INTEGER, "How many calls it took; 0 where the answer of the same question was copied."),
        ColumnSpec("asked_at", TIMESTAMP, "When the last of them was answered.", nullable=False),
        RUN_ID,
    ),
    sort_by=(("query_set", "ascending"), ("query_id", "ascending"), ("day", "ascending")),
)
