"""What the page is told, in columns: a tenth of the size of rows, and quick to filter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from visualsearch_pipeline.report.contents import ReportContents
from visualsearch_pipeline.report.data_files import JsonValue, data_script, finite
from visualsearch_pipeline.report.hits import ReportHit
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
        medium.location and archive_link(medium.location, page_folder=page_folder, archive_root=archive_root)
        for medium in contents.media
    )
    values: dict[str, JsonValue] = {
        "overview": _overview(contents),
        "media": _media(contents, links),
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
        "images_uploaded": contents.images_uploaded,
        "queries": [
            {
                "set": query.query_set,
                "id": query.query_id,
                "kind": query.kind,
                "asks": query.asks,
                "description": query.description,
                "hits": query.hits,
                "library": query.library,
                "searched": query.searched,
                "to_search": query.to_search,
                "truncated": query.truncated,
                "asked_on": query.asked_on.isoformat() if query.asked_on else None,
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


def _media(contents: ReportContents, links: tuple[str | None, ...]) -> JsonValue:
    return {
        "library": [medium.library for medium in contents.media],
        "number": [medium.number for medium in contents.media],
        "name": [medium.name for medium in contents.media],
        "uri": [medium.media_uri for medium in contents.media],
        "duration": [finite(medium.duration_seconds) for medium in contents.media],
        "camera": [medium.camera_model for medium in contents.media],
        "link": list(links),
        "platform": [medium.platform for medium in contents.media],
        "creator": [medium.creator for medium in contents.media],
        "post": [medium.post_url for medium in contents.media],
    }


def _hits(contents: ReportContents, pictures: Mapping[PictureSource, str]) -> JsonValue:
    new = {
        (change.library, change.query_set, change.query_id, change.number, change.start_seconds)
        for change in contents.changes or ()
        if change.change == "new"
    }

    def is_new(hit: ReportHit) -> bool:
        query = contents.queries[hit.query]
        medium = contents.media[hit.medium]
        # Public videos are compared as a whole: their matches shift from day to day.
        start = None if medium.library == "public" else hit.start_seconds
        return (medium.library, query.query_set, query.query_id, medium.number, start) in new

    return {
        "query": [hit.query for hit in contents.hits],
        "medium": [hit.medium for hit in contents.hits],
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
            "library": change.library,
            "number": change.number,
            "name": change.name,
            "start": finite(change.start_seconds),
            "end": finite(change.end_seconds),
            "score": finite(change.score),
            "text": change.text,
            "at": change.changed_at.strftime("%Y-%m-%d %H:%M UTC"),
        }
        for change in contents.changes
    ]
