"""Filling a library without footage: thousands of videos whose truth is known, in seconds."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import insert

from visualsearch_pipeline.sandbox.calls import Services
from visualsearch_pipeline.sandbox.control.models import SeededVideo
from visualsearch_pipeline.sandbox.identifiers import next_snowflake
from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.database import last_snowflake, remember_snowflake
from visualsearch_pipeline.sandbox.state.entries import (
    DEFAULT_FOLDER_ID,
    DEFAULT_UNIQUE_ID,
    DecodeState,
    Segment,
    SpokenSegment,
    Status,
)
from visualsearch_pipeline.sandbox.state.library import PRIVATE_BUCKET, PRIVATE_KEYFRAME_BUCKET


def seed_videos(services: Services, account: str, videos: Iterable[SeededVideo]) -> list[str]:
    """Enter parsed videos that have captions and spoken lines but no file; returns their ids in the order given.

    They are listed and found by text like any other. Having no file, they show no bucket and cannot be downloaded.
    """
    rows: list[dict[str, object]] = []
    media: list[dict[str, object]] = []
    now_ms = services.clock.now_ms()
    with services.database.write() as connection:
        snowflake = last_snowflake(connection)
        for video in videos:
            snowflake = next_snowflake(now_ms=now_ms, last=snowflake, seed=services.config.seed)
            video_no = f"VI{snowflake}"
            rows.append(_row(video, account, video_no, snowflake, now_ms))
            media.append(_media(video, video_no))
        if rows:
            connection.execute(insert(tables.videos), rows)
            connection.execute(insert(tables.media_index), media)
            remember_snowflake(connection, snowflake)
    return [str(row["video_no"]) for row in rows]


def _row(video: SeededVideo, account: str, video_no: str, snowflake: int, now_ms: int) -> dict[str, object]:
    return {
        "video_no": video_no,
        "snowflake": snowflake,
        "library": account,
        "unique_id": video.unique_id or DEFAULT_UNIQUE_ID,
        "folder_id": DEFAULT_FOLDER_ID if video.folder_id is None else video.folder_id,
        "video_name": video.video_name,
        "file_name": f"{video.video_name}.mp4",
        "status": Status.PARSE,
        "decode_state": DecodeState.DECODED,
        "created_ms": now_ms,
        "parsed_ms": now_ms,
        "ready_at_ms": now_ms,
        "size_bytes": video.size_bytes,
        "duration_seconds": max((clip.end_seconds for clip in video.clips), default=0.0),
        "bucket": PRIVATE_BUCKET,
        "blob": f"{video_no}.mp4",
        "keyframe_bucket": PRIVATE_KEYFRAME_BUCKET,
        "keyframe_prefix": video_no,
        "has_file": False,
        "camera_model": video.camera_model,
        "tags": json.dumps([*video.tags, "api"], ensure_ascii=False),
    }


def _media(video: SeededVideo, video_no: str) -> dict[str, object]:
    segments = [
        Segment(start_seconds=clip.start_seconds, end_seconds=clip.end_seconds, caption=clip.caption, keyframe_index=0)
        for clip in video.clips
    ]
    spoken = [
        SpokenSegment(start_seconds=clip.start_seconds, end_seconds=clip.end_seconds, text=clip.spoken)
        for clip in video.clips
        if clip.spoken
    ]
    return {
        "video_no": video_no,
        "segments": json.dumps([asdict(segment) for segment in segments], ensure_ascii=False),
        "transcript": json.dumps([asdict(line) for line in spoken], ensure_ascii=False),
        "keyframes": "[]",
        "descriptors": b"",
    }
