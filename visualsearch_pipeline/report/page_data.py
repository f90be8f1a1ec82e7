"""What the page is told, in columns: a tenth of the size of rows, and quick to filter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from visualsearch_pipeline.report.contents import ReportContents, ReportHit
from visualsearch_pipeline.report.data_files import JsonValue, data_script, finite
from visualsearch_pipeline.report.links import archive_link
from visualsearch_pipeline.report.pictures import PictureSource


def page_data(
    contents: ReportContents, *, pictures: Mapping[PictureSource, str], page_folder: Path, archive_root: str | None
) -> dict[str, bytes]:
    """The page's data as scripts, by file name.

    Args:
        contents: What is shown.
        pictures: The names of the pictures that are there.
        page_folder: Where the page lies; links are relative to it.
        archive_root: The archive's folder or URL.
    """
    links = tuple(
        video.location and archive_link(video.location, page_folder=page_folder, archive_root=archive_root)
        for video in contents.videos
    )
    values: dict[str, JsonValue] = {
        "overview": _overview(contents),
        "videos": _videos(contents, links),
        "hits": _hits(contents, pictures),
        "spend": [
            {"day": row.day.isoformat(), "operation": row.operation, "calls": row.calls, "usd": finite(row.cost_usd)}
            for row in contents.spend
        ],
        "coverage": [
            {"day": row.day.isoformat(), "videos": row.videos, "pairs": row.pairs, "searched": row.searched}
            for row in contents.coverage
        ],
        "changes": _changes(contents),
    }
    return {f"data/{name}.js": data_script(name, value).encode("utf-8") for name, value in values.items()}


def _overview(contents: ReportContents) -> JsonValue:
    return {
        "hits_total": contents.hits_total,
        "videos_ready": contents.videos_ready,
        "queries": [
            {
                "set": query.query_set,
                "id": query.query_id,
                "kind": query.kind,
                "asks": query.asks,
                "description": query.description,
                "hits": query.hits,
                "searched": query.videos_searched,
                "to_search": query.videos_to_search,
                "truncated": query.videos_truncated,
            }
            for query in contents.queries
        ],
        "failures": [
            {
                "step": failure.step,
                "subject": failure.subject,
                "day": failure.day.isoformat() if failure.day else None,
                "reason": failure.reason,
                "count": failure.count,
            }
            for failure in contents.failures
        ],
    }


def _videos(contents: ReportContents, links: tuple[str | None, ...]) -> JsonValue:
    return {
        "video_no": [video.video_no for video in contents.videos],
        "name": [video.name for video in contents.videos],
        "uri": [video.media_uri for video in contents.videos],
        "duration": [finite(video.duration_seconds) for video in contents.videos],
        "camera": [video.camera_model for video in contents.videos],
        "link": list(links),
    }


def _hits(contents: ReportContents, pictures: Mapping[PictureSource, str]) -> JsonValue:
    new = {
        (change.query_set, change.query_id, change.video_no, change.start_seconds)
        for change in contents.changes or ()
        if change.change == "new"
    }

    def is_new(hit: ReportHit) -> bool:
        query = contents.queries[hit.query]
        return (query.query_set, query.query_id, contents.videos[hit.video].video_no, hit.start_seconds) in new

    return {
        "query": [hit.query for hit in contents.hits],
        "video": [hit.video for hit in contents.hits],
        "day": [hit.day.isoformat() for hit in contents.hits],
        "start": [finite(hit.start_seconds) for hit in contents.hits],
        "end": [finite(hit.end_seconds) for hit in contents.hits],
        "score": [finite(hit.score) for hit in contents.hits],
        "text": [hit.text for hit in contents.hits],
        "new": [int(is_new(hit)) for hit in contents.hits],
        "picture": [pictures.get(hit.picture) if hit.picture else None for hit in contents.hits],
    }


def _changes(contents: ReportContents) -> JsonValue:
    if contents.changes is None:
        return None
    return [
        {
            "set": change.query_set,
            "query": change.query_id,
            "change": change.change,
            "day": change.day.isoformat(),
            "video_no": change.video_no,
            "name": change.media_name,
            "start": finite(change.start_seconds),
            "end": finite(change.end_seconds),
            "score": finite(change.score),
            "text": change.text,
            "at": change.changed_at.strftime("%Y-%m-%d %H:%M UTC"),
        }
        for change in contents.changes
    ]
