"""What there is to tell: sets of new hits in the published tables, and each as the JSON that is sent.

The published file is asked and nothing else, so that whoever reads an alert finds its hits there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import duckdb

from visualsearch_pipeline.ledger.alerts import AlertDelivery, QueryName
from visualsearch_pipeline.pipeline.alert_sources import NEWS_SOURCES, NewsSource
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.warehouse import NotPublishedError, open_read_only

PAYLOAD_VERSION: Final = 1
SHOWN_HITS: Final = 10
"""So many of the new hits stand in an alert, the best ones; all are in the tables."""

_ID_LENGTH: Final = 32

_ASKED: Final = """
    SELECT kind, asks, description FROM queries
    WHERE query_set = $query_set AND query_id = $query_id AND query_version = $query_version
"""


@dataclass(frozen=True)
class _HitSet:
    """The hits that one run found new for one version of a query; `media` is what they are in, by its count."""

    source: NewsSource
    query_set: str
    query_id: str
    query_version: str
    run_id: str
    mark: str
    new_hits: int
    media: int
    first_day: date
    last_day: date
    detected_us: int

    @property
    def delivery_id(self) -> str:
        identity = "\0".join((self.query_set, self.query_id, self.query_version, self.mark))
        return hashlib.sha256(identity.encode()).hexdigest()[:_ID_LENGTH]

    @property
    def parameters(self) -> dict[str, str]:
        return {
            "query_set": self.query_set,
            "query_id": self.query_id,
            "query_version": self.query_version,
        }


def read_news(pipeline: Pipeline, subscriptions: Mapping[QueryName, datetime]) -> tuple[AlertDelivery, ...]:
    """Alerts that are due by the published tables and were not decided on before, oldest first.

    Args:
        pipeline: the run.
        subscriptions: since when each query with an alert has it.

    Raises:
        ReadError: the published file cannot be opened.
    """
    if not subscriptions:
        return ()
    since_us = _microseconds(min(subscriptions.values()))
    known = pipeline.ledger.alerts.known_ids()
    try:
        connection = open_read_only(pipeline.settings.database_path)
    except NotPublishedError:
        return ()
    with connection:
        return tuple(
            _delivery(pipeline, connection, found)
            for found in _sets(connection, since_us=since_us)
            if (subscribed := subscriptions.get((found.query_set, found.query_id))) is not None
            and found.detected_us > _microseconds(subscribed)
            and found.delivery_id not in known
        )


def _sets(connection: duckdb.DuckDBPyConnection, *, since_us: int) -> Sequence[_HitSet]:
    relations = connection.execute(
        "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views()"
    )
    there = {name for (name,) in relations.fetchall()}
    sets = [
        _HitSet(source, *row)
        for source in NEWS_SOURCES
        if source.relation in there
        for row in connection.execute(source.sets, {"since_us": since_us}).fetchall()
    ]
    return sorted(sets, key=lambda found: (found.detected_us, found.query_set, found.query_id, found.query_version))


def _delivery(pipeline: Pipeline, connection: duckdb.DuckDBPyConnection, found: _HitSet) -> AlertDelivery:
    now = pipeline.now()
    return AlertDelivery(
        delivery_id=found.delivery_id,
        query_set=found.query_set,
        query_id=found.query_id,
        query_version=found.query_version,
        run_id=found.run_id,
        new_hits=found.new_hits,
        payload=json.dumps(_payload(pipeline, connection, found, now), ensure_ascii=False),
        created_at=now,
    )


def _payload(
    pipeline: Pipeline, connection: duckdb.DuckDBPyConnection, found: _HitSet, now: datetime
) -> dict[str, object]:
    """What is sent; docs/alerts.md describes each field."""
    source, query = found.source, found.parameters
    kind, asks, description = connection.execute(_ASKED, query).fetchone() or (None, None, None)
    best = connection.execute(source.best, {**query, "mark": found.mark, "most": SHOWN_HITS})
    names = [column[0] for column in best.description or ()]
    hits = [_shown(dict(zip(names, row, strict=True)), pipeline.settings.archive_root) for row in best.fetchall()]
    name = f"{found.query_set}.{found.query_id}"
    return {
        "version": PAYLOAD_VERSION,
        "event": "new_hits",
        "delivery_id": found.delivery_id,
        "created_at": now.isoformat(),
        # Chat services show this field of what they are sent.
        "text": (
            f"{_counted(found.new_hits, 'new hit', 'new hits')} of {name} ({asks}) in "
            f"{_counted(found.media, source.one, source.many)}"
        ),
        "query": {**query, "kind": kind, "asks": asks, "description": description},
        "run_id": found.run_id,
        "new_hits": found.new_hits,
        "videos": 0,
        "images": 0,
        source.counted_as: found.media,
        "first_day": found.first_day.isoformat(),
        "last_day": found.last_day.isoformat(),
        "hits": hits,
        "report_link": _report_link(pipeline, found),
    }


def _shown(row: Mapping[str, object], archive_root: str) -> dict[str, object]:
    day = row["day"]
    shown = {**row, "day": day.isoformat() if isinstance(day, date) else None}
    if "media_uri" in row:
        shown["media_name"] = _media_name(str(row["media_uri"])) if row["media_uri"] else None
    if "keyframe_path" in row:
        path = row["keyframe_path"]
        shown["keyframe_path"] = _whole_path(str(path), archive_root) if path else None
    return shown


def _media_name(media_uri: str) -> str:
    """The name of a source file or of what a URL leads to; only the latter is percent-encoded."""
    is_web = media_uri.startswith(("http://", "https://"))
    return PurePosixPath(unquote(urlsplit(media_uri).path) if is_web else media_uri).name


def _whole_path(path: str, archive_root: str) -> str:
    return path if "://" in path or Path(path).is_absolute() else f"{archive_root.rstrip('/')}/{path}"


def _report_link(pipeline: Pipeline, found: _HitSet) -> str | None:
    """The report's page with this query chosen, where the settings say that it is served."""
    report_url = pipeline.settings.alerts.report_url
    chosen = quote(f"{found.query_set}/{found.query_id}", safe="")
    return None if report_url is None else f"{report_url}/index.html#query={chosen}"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)
