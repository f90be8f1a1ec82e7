"""The tables of what saved queries find in private videos: hits, what changed in them, and who was answered when.

As in `schemas`, a change is additive.
"""

from __future__ import annotations

from typing import Final

from visualsearch_pipeline.warehouse.shared_columns import (
    BY_RANK,
    BY_SET_AND_DAY,
    DOUBLE,
    INTEGER,
    ITEM_DAY,
    KEYFRAME_COLUMNS,
    MATCH_COLUMNS,
    MEDIA_URI_OF_VIDEO,
    QUERY_COLUMNS,
    RANK,
    RUN_ID,
    SEARCHED_AT,
    STRING,
    VIDEO_NAME,
    VIDEO_NO,
    VIDEO_PLACE_COLUMNS,
)
from visualsearch_pipeline.warehouse.table_spec import TIMESTAMP, ColumnSpec, TableSpec

HITS: Final = TableSpec(
    name="hits",
    description="One row per match: a saved query found something in a video. Overlapping matches stay as they came.",
    columns=(
        *QUERY_COLUMNS,
        ITEM_DAY,
        VIDEO_NO,
        MEDIA_URI_OF_VIDEO,
        VIDEO_NAME,
        *MATCH_COLUMNS,
        RANK,
        ColumnSpec("text", STRING, "The words or the caption that matched, where the service gives them."),
        *KEYFRAME_COLUMNS,
        *VIDEO_PLACE_COLUMNS,
        SEARCHED_AT,
        RUN_ID,
    ),
    sort_by=BY_RANK,
    partition_by=BY_SET_AND_DAY,
)

HIT_CHANGES: Final = TableSpec(
    name="hit_changes",
    description=(
        "One row per hit that is new, gone or moved since the answer before to the same query about the same video. "
        "A query's first run over old footage changes nothing; footage that arrives later does."
    ),
    columns=(
        *QUERY_COLUMNS,
        ColumnSpec("previous_query_version", STRING, "The version compared with; absent for footage that arrived."),
        ITEM_DAY,
        VIDEO_NO,
        MEDIA_URI_OF_VIDEO,
        VIDEO_NAME,
        ColumnSpec("change", STRING, "new, gone or moved.", nullable=False),
        ColumnSpec("start_seconds", DOUBLE, "Where the match begins now, in seconds; absent when it is gone."),
        ColumnSpec("end_seconds", DOUBLE, "Where it ends now, in seconds; absent when it is gone."),
        ColumnSpec("score", DOUBLE, "Its score now; absent when it is gone."),
        ColumnSpec("previous_start_seconds", DOUBLE, "Where it began before, in seconds; absent when it is new."),
        ColumnSpec("previous_end_seconds", DOUBLE, "Where it ended before, in seconds; absent when it is new."),
        ColumnSpec("previous_score", DOUBLE, "Its score before; absent when it is new."),
        ColumnSpec("text", STRING, "The words or the caption that match, or matched."),
        *KEYFRAME_COLUMNS,
        ColumnSpec("detected_at", TIMESTAMP, "When the answer came that differs.", nullable=False),
        ColumnSpec("run_id", STRING, "The run that noticed."),
        ColumnSpec("revision", INTEGER, "Which writing of the day's hits brought the change, from 1.", nullable=False),
    ),
    sort_by=(
        ("revision", "ascending"),
        ("query_id", "ascending"),
        ("query_version", "ascending"),
        ("video_no", "ascending"),
        ("change", "ascending"),
        ("start_seconds", "ascending"),
        ("previous_start_seconds", "ascending"),
    ),
    partition_by=BY_SET_AND_DAY,
)

ANSWERED: Final = TableSpec(
    name="_answered",
    description="One row per query version and video that was ever answered: what hit_changes compares with.",
    columns=(
        *QUERY_COLUMNS,
        ITEM_DAY,
        VIDEO_NO,
        ColumnSpec(
            "revision",
            INTEGER,
            "Which writing of the day's hits brought the first answer, from 1; 0 if what it found was lost.",
            nullable=False,
        ),
    ),
    sort_by=(("query_id", "ascending"), ("query_version", "ascending"), ("video_no", "ascending")),
    partition_by=BY_SET_AND_DAY,
)
"""Kept beside the tables and not one of them: readers skip names that begin so."""
