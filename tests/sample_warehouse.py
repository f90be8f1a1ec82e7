"""A published warehouse with an archive of real videos and pictures, as a small team has after four days.

Small enough that every answer about it can be worked out by hand; published by the real publisher.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
from PIL import Image, ImageDraw

from visualsearch_pipeline.demo.encoding import encode_clip
from visualsearch_pipeline.warehouse import TABLES, ParquetStore, publish

FIRST_DAY: Final = date(2026, 3, 2)
NOON: Final = datetime(2026, 3, 6, 12, tzinfo=UTC)
CLIP_SECONDS: Final = 6
RUN: Final = "run-2"

Row = Mapping[str, object]

_A_VALUE: Final[Mapping[str, object]] = {
    "string": "x",
    "int32": 1,
    "int64": 1,
    "double": 0.0,
    "bool": False,
    "date32[day]": FIRST_DAY,
    "timestamp[us, tz=UTC]": NOON,
}


@dataclass(frozen=True)
class Video:
    """One video; `seconds` is what the tables say, its archived clip is `CLIP_SECONDS` long."""

    number: int
    day: int
    name: str
    camera: str | None
    seconds: float
    state: str = "ready"
    place: tuple[float, float] | None = None

    @property
    def video_no(self) -> str:
        return f"VI{self.number:018}"


@dataclass(frozen=True)
class Hit:
    """One hit; with `pictured`, its keyframe is in the archive."""

    query: str
    video: int
    start: float | None
    end: float | None
    score: float | None
    text: str | None = None
    pictured: bool = True


VIDEOS: Final = (
    Video(1, 0, "gate.mp4", "GoPro HERO12", 600.0, place=(52.52, 13.40)),
    Video(2, 0, "dock.mp4", "GoPro HERO12", 300.0, place=(52.53, 13.41)),
    Video(3, 1, "yard/night.mp4", "Sony ILCE-7M4", 1200.0, place=(48.14, 11.58)),
    Video(4, 1, "interview.mp4", "Sony ILCE-7M4", 900.0),
    Video(5, 2, "shop floor.mp4", None, 450.0),
    Video(6, 2, "broken upload.mp4", None, 10.0, state="failed"),
    Video(7, 3, "late.mp4", "GoPro HERO12", 60.0),
)

QUERIES: Final = {
    "street.red_truck": ("v2", "text", "a red truck at night"),
    "street.logo": ("v1", "image", "logo.png"),
    "street.red_shirt": ("v1", "image_in_video", "focus on the red shirt"),
    "speech.says_warranty": ("v1", "transcript", "warranty"),
}

HITS: Final = (
    Hit("street.red_truck", 1, 1.0, 3.0, 0.91),
    Hit("street.red_truck", 1, 2.0, 5.0, 0.72),
    Hit("street.red_truck", 2, 0.0, 2.0, 0.55),
    Hit("street.red_truck", 3, 4.0, 6.0, 0.83),
    Hit("street.red_truck", 5, 2.5, 4.0, 0.31),
    Hit("street.logo", 2, 1.0, 4.0, 0.98),
    Hit("street.logo", 5, 3.0, 5.0, 0.64),
    Hit("street.red_shirt", 4, 0.5, 2.0, 0.86, pictured=False),
    Hit("speech.says_warranty", 4, 3.0, None, None, "The warranty covers water damage.", pictured=False),
    Hit("speech.says_warranty", 5, 1.0, None, None, "Two years of warranty on every part.", pictured=False),
)

CHANGES: Final = (
    ("street.red_truck", 5, "new", 2.5, 4.0, 0.31),
    ("street.red_truck", 2, "gone", 7.0, 9.0, 0.44),
)

TRANSCRIPTS: Final = (
    (4, 0.0, 3.0, "Welcome to the shop."),
    (4, 3.0, 6.0, "The warranty covers water damage."),
    (5, 1.0, 4.0, "Two years of warranty on every part."),
)

CALLS: Final = (
    # operation, item, day after FIRST_DAY, outcome, cost in US dollars, seconds, seconds held back before
    *(("upload", f"VI{number}", number % 3, "ok", 0.15, 2.0, 0.5) for number in range(1, 7)),
    ("search", "a red truck at night", 1, "ok", 0.0001, 0.8, 0.0),
    ("search", "a red truck at night", 2, "rate_limited", 0.0, 0.1, 1.0),
    ("search", "a red truck at night", 2, "ok", 0.0001, 0.6, 2.0),
    ("search_similar_images", "logo.png", 1, "ok", 0.0001, 1.2, 0.0),
    ("list_videos", None, 1, "ok", 0.0, 0.2, 0.0),
    ("download", "VI1", 3, "ok", 0.02, 5.0, 0.0),
)


@dataclass(frozen=True)
class SampleWarehouse:
    """Where everything lies, below one `folder` as a project has it."""

    folder: Path
    videos: Sequence[Video] = VIDEOS
    hits: Sequence[Hit] = HITS
    store: ParquetStore = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", ParquetStore(str(self.folder / "state" / "warehouse")))

    @property
    def database_path(self) -> Path:
        return self.folder / "state" / "warehouse" / "visualsearch.duckdb"

    @property
    def archive(self) -> Path:
        return self.folder / "state" / "archive"

    def day(self, video_number: int) -> date:
        return FIRST_DAY + timedelta(days=self.video(video_number).day)

    def video(self, number: int) -> Video:
        return next(video for video in self.videos if video.number == number)

    def video_path(self, video: Video) -> Path:
        return self.archive / "videos" / self.day(video.number).isoformat() / f"{video.video_no}.mp4"

    def keyframe_path(self, hit: Hit) -> Path:
        return self.archive / "keyframes" / f"{hit.video}-{hit.start}.jpg"


def make_sample_warehouse(
    folder: Path,
    *,
    videos: Sequence[Video] = VIDEOS,
    hits: Sequence[Hit] = HITS,
    media: bool = True,
    more: Mapping[str, Sequence[Row]] | None = None,
) -> SampleWarehouse:
    """Publish the sample below `folder`.

    Args:
        folder: The project.
        videos: What the library has.
        hits: What was found.
        media: Without it, the archive is named in the tables but not there.
        more: Further rows of the ledger's tables, by table.
    """
    sample = SampleWarehouse(folder, videos, hits)
    if media:
        _fill_archive(sample)
    _write_day_tables(sample)
    ledger_tables = {
        "videos": table("videos", [_video_row(sample, video) for video in videos]),
        "coverage": table("coverage", _coverage_rows(sample)),
        "queries": table("queries", _query_rows()),
        "api_calls": table("api_calls", _call_rows()),
        "archive": table("archive", _archive_rows(sample)),
        "failures": table("failures", _failure_rows()),
    }
    for name, rows in (more or {}).items():
        ledger_tables[name] = pa.concat_tables([ledger_tables.get(name, TABLES[name].empty()), table(name, rows)])
    publish(sample.store, sample.database_path, ledger_tables, ["street", "speech"])
    return sample


def table(name: str, rows: Iterable[Row]) -> pa.Table:
    """Rows of a table: some value where one is needed, null elsewhere, and what is given."""
    columns = TABLES[name].columns
    blank = {column.name: None if column.nullable else _A_VALUE[str(column.type)] for column in columns}
    return pa.Table.from_pylist([{**blank, **row} for row in rows], schema=TABLES[name].arrow_schema)


def _identity(query: str) -> dict[str, object]:
    query_set, query_id = query.split(".")
    return {"query_set": query_set, "query_id": query_id, "query_version": f"{query_id}-{QUERIES[query][0]}"}


def _write_day_tables(sample: SampleWarehouse) -> None:
    hits: dict[tuple[str, date], list[Row]] = {}
    for hit in sample.hits:
        row = _hit_row(sample, hit)
        hits.setdefault((str(row["query_set"]), sample.day(hit.video)), []).append(row)
    # What the query found when it asked something else; kept, and no part of the set's view.
    old = {"query_version": "red_truck-v1", "score": 0.2}
    for (query_set, day), rows in hits.items():
        rows.extend({**row, **old} for row in rows[:1] if row["query_id"] == "red_truck")
        sample.store.write_hits(query_set, day, table("hits", _ranked(rows)))
    segments: dict[date, list[Row]] = {}
    there = {video.number for video in sample.videos}
    for index, (number, start, end, text) in enumerate(line for line in TRANSCRIPTS if line[0] in there):
        video = sample.video(number)
        segment = {"video_no": video.video_no, "day": sample.day(number), "media_uri": f"/footage/{video.name}"}
        times = {"segment_index": index, "start_seconds": start, "end_seconds": end}
        segments.setdefault(sample.day(number), []).append({**segment, **times, "text": text})
    for day, spoken in segments.items():
        sample.store.write_day("transcripts", day, table("transcripts", spoken))
    changes: dict[date, list[Row]] = {}
    for query, number, change, start, end, score in (change for change in CHANGES if change[1] in there):
        prefix = "previous_" if change == "gone" else ""
        values = {f"{prefix}start_seconds": start, f"{prefix}end_seconds": end, f"{prefix}score": score}
        row = {**_identity(query), "day": sample.day(number), "video_no": sample.video(number).video_no}
        changes.setdefault(sample.day(number), []).append({**row, **values, "change": change, "run_id": RUN})
    for day, found_otherwise in changes.items():
        sample.store.write_part("hit_changes", table("hit_changes", found_otherwise), query_set="street", day=day)


def _ranked(rows: Sequence[Row]) -> list[Row]:
    places: Counter[object] = Counter()
    ranked: list[Row] = []
    for row in sorted(rows, key=lambda row: -float(str(row["score"] or 0))):
        places[row["query_version"]] += 1
        ranked.append({**row, "rank": places[row["query_version"]]})
    return ranked


def _hit_row(sample: SampleWarehouse, hit: Hit) -> Row:
    video = sample.video(hit.video)
    row: dict[str, object] = {
        **_identity(hit.query),
        "day": sample.day(hit.video),
        "video_no": video.video_no,
        "video_name": Path(video.name).stem,
        "media_uri": f"/footage/{video.name}",
        "start_seconds": hit.start,
        "end_seconds": hit.end,
        "score": hit.score,
        "text": hit.text,
        "run_id": RUN,
    }
    if hit.pictured:
        row |= {"keyframe_bucket": "mavi-keyframe", "keyframe_blob": sample.keyframe_path(hit).name}
    return row


def _video_row(sample: SampleWarehouse, video: Video) -> Row:
    latitude, longitude = video.place or (None, None)
    return {
        "video_no": video.video_no,
        "day": sample.day(video.number),
        "media_uri": f"/footage/{video.name}",
        "media_name": video.name,
        "video_name": Path(video.name).stem,
        "state": video.state,
        "cause": "the file cannot be decoded" if video.state == "failed" else None,
        "duration_seconds": video.seconds,
        "size_bytes": round(video.seconds * 1_000_000),
        "camera_model": video.camera,
        "latitude": latitude,
        "longitude": longitude,
        "uploaded_at": NOON,
        "ready_at": NOON + timedelta(minutes=video.number) if video.state == "ready" else None,
    }


def _coverage_rows(sample: SampleWarehouse) -> list[Row]:
    """Every query has been asked about every ready video, save the one that became ready last."""
    return [
        {
            **_identity(query),
            "video_no": video.video_no,
            "day": sample.day(video.number),
            "hits": sum(hit.query == query and hit.video == video.number for hit in sample.hits),
            "truncated": query == "street.logo" and video.number == 2,
        }
        for query in QUERIES
        for video in sample.videos
        if video.state == "ready" and video.number != VIDEOS[-1].number
    ]


def _query_rows() -> list[Row]:
    current: list[Row] = [
        {
            **_identity(query),
            "kind": kind,
            "asks": asks,
            "definition": json.dumps({"kind": kind, "asks": asks}),
            "is_current": True,
            "first_seen_at": NOON,
        }
        for query, (_, kind, asks) in QUERIES.items()
    ]
    old = {"query_version": "red_truck-v1", "kind": "text", "asks": "a red lorry", "retired_at": NOON}
    return [*current, {**_identity("street.red_truck"), **old, "definition": "{}"}]


def _call_rows() -> list[Row]:
    return [
        {
            "call_id": str(index),
            "day": FIRST_DAY + timedelta(days=day),
            "started_at": datetime.combine(FIRST_DAY + timedelta(days=day), NOON.timetz()) + timedelta(minutes=index),
            "operation": operation,
            "item": item,
            "run_id": RUN,
            "outcome": outcome,
            "cost_usd": cost_usd,
            "duration_seconds": seconds,
            "waited_seconds": waited,
        }
        for index, (operation, item, day, outcome, cost_usd, seconds, waited) in enumerate(CALLS)
    ]


def _archive_rows(sample: SampleWarehouse) -> list[Row]:
    rows: list[Row] = [
        {
            "kind": "video",
            "video_no": video.video_no,
            "day": sample.day(video.number),
            "path": str(sample.video_path(video)),
            "size_bytes": round(video.seconds * 1_000_000),
            "sha256": f"{video.number:064x}",
            "proven_by": "sha256",
            "state": "archived",
        }
        for video in sample.videos
        if video.state == "ready" and video.number != VIDEOS[-1].number
    ]
    keyframes: dict[Path, Row] = {
        sample.keyframe_path(hit): {
            "kind": "keyframe",
            "video_no": sample.video(hit.video).video_no,
            "day": sample.day(hit.video),
            "bucket": "mavi-keyframe",
            "blob": sample.keyframe_path(hit).name,
            "path": str(sample.keyframe_path(hit)),
            "size_bytes": 4_000,
            "proven_by": "structure",
            "state": "archived",
        }
        for hit in sample.hits
        if hit.pictured
    }
    failed = {"kind": "video", "video_no": VIDEOS[-1].video_no, "day": FIRST_DAY, "state": "failed"}
    return [*rows, *keyframes.values(), failed]


def _failure_rows() -> list[Row]:
    mended = {"step": "search", "subject": "street.logo", "reason": "rate limit", "count": 2, "resolved_at": NOON}
    standing = {"step": "index", "subject": "/footage/broken upload.mp4", "reason": "it cannot be decoded", "count": 3}
    return [{**mended, "last_failed_at": NOON}, {**standing, "last_failed_at": NOON, "retryable": False}]


def _fill_archive(sample: SampleWarehouse) -> None:
    for video in sample.videos:
        if video.state == "ready" and video.number != VIDEOS[-1].number:
            sample.video_path(video).parent.mkdir(parents=True, exist_ok=True)
            encode_clip(sample.video_path(video), seconds=CLIP_SECONDS, fps=4)
    for hit in sample.hits:
        path = sample.keyframe_path(hit)
        if hit.pictured and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.new("RGB", (320, 180), (40 * hit.video % 256, 90, 140))
            ImageDraw.Draw(picture).ellipse((60, 30, 180, 150), fill=(200, int(200 * (hit.score or 0)), 60))
            picture.save(path, quality=85)
