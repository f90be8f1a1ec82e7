"""Types, meanings and columns that several tables of the warehouse have in common."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from visualsearch_pipeline.warehouse.table_spec import TIMESTAMP, ColumnSpec, SortOrder

STRING: Final = pa.string()
INTEGER: Final = pa.int64()
DOUBLE: Final = pa.float64()
DAY: Final = pa.date32()

_ITEM_DAY_MEANING: Final = "Partition: the UTC date fixed when the media item was first seen."
ITEM_DAY: Final = ColumnSpec("day", DAY, _ITEM_DAY_MEANING, nullable=False)
ITEM_DAY_IF_KNOWN: Final = ColumnSpec("day", DAY, _ITEM_DAY_MEANING)
RUN_ID: Final = ColumnSpec("run_id", STRING, "The run that wrote this row.")
SHA256: Final = ColumnSpec("sha256", STRING, "SHA-256 of the source file's bytes, hexadecimal.")

VIDEO_NO: Final = ColumnSpec("video_no", STRING, "The video in the service's library.", nullable=False)
MEDIA_URI_OF_VIDEO: Final = ColumnSpec("media_uri", STRING, "The source file of the video.")
VIDEO_NAME: Final = ColumnSpec("video_name", STRING, "The video's name as the service knows it.")

QUERY_COLUMNS: Final = (
    ColumnSpec("query_set", STRING, "The query set: the name of its file without the extension.", nullable=False),
    ColumnSpec("query_id", STRING, "The query's id within its set.", nullable=False),
    ColumnSpec(
        "query_version", STRING, "Hash of what the query asks; a changed question is a new one.", nullable=False
    ),
)

MATCH_COLUMNS: Final = (
    ColumnSpec("start_seconds", DOUBLE, "Where the match begins, in seconds from the start of the video."),
    ColumnSpec("end_seconds", DOUBLE, "Where it ends, in seconds; absent where the service names no end."),
    ColumnSpec("score", DOUBLE, "How well it matches, 0 to 1; absent for transcript phrases."),
)
"""Which part of a video an answer names, and how sure of it the service is."""

RANK: Final = ColumnSpec("rank", pa.int32(), "1 for the best score of this query version on this day.", nullable=False)
KEYFRAME_COLUMNS: Final = (
    ColumnSpec("keyframe_bucket", STRING, "Bucket of the picture that stands for the match."),
    ColumnSpec("keyframe_blob", STRING, "Path of that picture in its bucket."),
)
VIDEO_PLACE_COLUMNS: Final = (
    ColumnSpec("video_bucket", STRING, "Bucket of the video."),
    ColumnSpec("video_blob", STRING, "Path of the video in its bucket."),
)
ANSWERED_MEANING: Final = "When the service gave this answer."
SEARCHED_AT: Final = ColumnSpec("searched_at", TIMESTAMP, ANSWERED_MEANING, nullable=False)

COVERED_HITS: Final = ColumnSpec("hits", INTEGER, "How many hits it has.", nullable=False)
COVERED_TRUNCATED: Final = ColumnSpec(
    "truncated", pa.bool_(), "Whether the service may hold more hits than it can return.", nullable=False
)
COVERED_AT: Final = ColumnSpec("searched_at", TIMESTAMP, "When it was searched.", nullable=False)

BY_RANK: Final[tuple[tuple[str, SortOrder], ...]] = (
    ("query_id", "ascending"),
    ("query_version", "ascending"),
    ("rank", "ascending"),
)
"""The order of a day's hits."""

BY_SET_AND_DAY: Final = ("query_set", "day")
"""What is asked by a query set about a day has one file for both."""
