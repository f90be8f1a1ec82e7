"""What there is to tell: sets of new hits in the published tables, and each as the JSON that is sent.

The published file is asked and nothing else, so that whoever reads an alert finds its hits there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import duckdb

from visualsearch_pipeline.ledger.alerts import AlertDelivery, QueryName
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.warehouse import NotPublishedError, open_read_only

PAYLOAD_VERSION: Final = 1
SHOWN_HITS: Final = 10
"""So many of the new hits stand in an alert, the best ones; all are in the tables."""

_ID_LENGTH: Final = 32

_SETS: Final = """
    SELECT query_set, query_id, query_version, run_id, count(*) AS new_hits, count(DISTINCT video_no) AS videos,
           min(day) AS first_day, max(day) AS last_day, epoch_us(max(detected_at)) AS detected_us
    FROM hit_changes
    WHERE change = 'new' AND run_id IS NOT NULL AND epoch_us(detected_at) > $since_us
    GROUP BY query_set, query_id, query_version, run_id
    ORDER BY detected_us, query_set, query_id, query_version, run_id
"""

_BEST: Final = """
    SELECT new.day, new.video_no, new.media_uri, new.video_name, new.start_seconds, new.end_seconds, new.score,
           new.text, shown.path AS keyframe_path
    FROM hit_changes AS new
    LEFT JOIN keyframes AS shown
      ON shown.day = new.day AND shown.video_no = new.video_no
     AND shown.bucket = new.keyframe_bucket AND shown.blob = new.keyframe_blob
    WHERE new.change = 'new' AND new.query_set = $query_set AND new.query_id = $query_id
      AND new.query_version = $query_version AND new.run_id = $run_id
    ORDER BY new.score DESC NULLS LAST, new.day DESC, new.video_no, new.start_seconds
    LIMIT $most
"""

_ASKED: Final = """
    SELECT kind, asks, description FROM queries
    WHERE query_set = $query_set AND query_id = $query_id AND query_version = $query_version
"""


@dataclass(frozen=True)
class _HitSet:
    """The hits that one run found new for one version of a query."""

    query_set: str
    query_id: str
    query_version: str
    run_id: str
    new_hits: int
    videos: int
    first_day: date
    last_day: date
    detected_us: int

    @property
    def delivery_id(self) -> str:
        identity = "\0".join((self.query_set, self.query_id, self.query_version, self.run_id))
        return hashlib.sha256(identity.encode()).hexdigest()[:_ID_LENGTH]

    @property
    def parameters(self) -> dict[str, str]:
        return {
            "query_set": self.query_set,
            "query_id": self.query_id,
            "query_version": self.query_version,
            "run_id": self.run_id,
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
        sets = [_HitSet(*row) for row in connection.execute(_SETS, {"since_us": since_us}).fetchall()]
        return tuple(
            _delivery(pipeline, connection, found)
            for found in sets
            if (subscribed := subscriptions.get((found.query_set, found.query_id))) is not None
            and found.detected_us > _microseconds(subscribed)
            and found.delivery_id not in known
        )


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
    query = {name: value for name, value in found.parameters.items() if name != "run_id"}
    kind, asks, description = connection.execute(_ASKED, query).fetchone() or (None, None, None)
    best = connection.execute(_BEST, {**found.parameters, "most": SHOWN_HITS})
    names = [column[0] for column in best.description or ()]
    hits = [_shown(dict(zip(names, row, strict=True)), pipeline.settings.archive_root) for row in best.fetchall()]
    name = f"{found.query_set}.{found.query_id}"
    return {
        "version": PAYLOAD_VERSION,
        "event": "new_hits",
        "delivery_id": found.delivery_id,
        "created_at": now.isoformat(),
        # Chat services show this field of what they are sent.
        "text": f"{_counted(found.new_hits, 'new hit')} of {name} ({asks}) in {_counted(found.videos, 'video')}",
        "query": {**query, "kind": kind, "asks": asks, "description": description},
        "run_id": found.run_id,
        "new_hits": found.new_hits,
        "videos": found.videos,
        "first_day": found.first_day.isoformat(),
        "last_day": found.last_day.isoformat(),
        "hits": hits,
        "report_link": _report_link(pipeline, found),
    }


def _shown(row: Mapping[str, object], archive_root: str) -> dict[str, object]:
    day, media_uri, path = row["day"], row["media_uri"], row["keyframe_path"]
    return {
        **row,
        "day": day.isoformat() if isinstance(day, date) else None,
        "media_name": PurePosixPath(unquote(urlsplit(str(media_uri)).path)).name if media_uri else None,
        "keyframe_path": _whole_path(str(path), archive_root) if path else None,
    }


def _whole_path(path: str, archive_root: str) -> str:
    return path if "://" in path or Path(path).is_absolute() else f"{archive_root.rstrip('/')}/{path}"


def _report_link(pipeline: Pipeline, found: _HitSet) -> str | None:
    """The report's page with this query chosen, where the settings say that it is served."""
    report_url = pipeline.settings.alerts.report_url
    chosen = quote(f"{found.query_set}/{found.query_id}", safe="")
    return None if report_url is None else f"{report_url}/index.html#query={chosen}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)
