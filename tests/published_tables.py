"""What two runs over the same footage have in common: every published table without what differs from run to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Project, Row

TABLES = {
    "hits": """
        SELECT hits.* EXCLUDE (video_no, run_id, searched_at, keyframe_bucket, keyframe_blob, video_bucket, video_blob,
        media_uri) REPLACE (min(rank) OVER (PARTITION BY query_set, query_id, hits.day, score) AS rank), media_name,
        keyframe_blob IS NULL FROM hits JOIN videos USING (video_no) ORDER BY ALL""",
    "videos": "SELECT media_name, state, day, duration_seconds, size_bytes, width, height FROM videos ORDER BY ALL",
    "coverage": """
        SELECT query_set, query_id, query_version, media_name, coverage.day, hits, truncated
        FROM coverage JOIN videos USING (video_no) ORDER BY ALL""",
    "queries": "SELECT * EXCLUDE (first_seen_at) REPLACE (len(definition) AS definition) FROM queries ORDER BY ALL",
    "transcripts": """
        SELECT media_name, segment_index, start_seconds, end_seconds, text
        FROM transcripts JOIN videos USING (video_no) ORDER BY ALL""",
    "captions": """
        SELECT media_name, segment_index, start_seconds, end_seconds, text
        FROM captions JOIN videos USING (video_no) ORDER BY ALL""",
    "archive": """
        SELECT kind, archive.state, archive.size_bytes, archive.sha256, proven_by, media_name
        FROM archive JOIN videos USING (video_no) ORDER BY ALL""",
    "failures": "SELECT step, reason FROM failures WHERE resolved_at IS NULL ORDER BY ALL",
}


def contents(project: Project) -> dict[str, list[Row]]:
    """Every published table without what differs from run to run: ids of the service's, run ids and times.

    Hits of one score share their rank: which of them comes first depends on ids of the service's.
    """
    return {name: project.sql(query) for name, query in TABLES.items()}


def differences(project: Project, expected: Mapping[str, list[Row]]) -> dict[str, dict[str, list[Row]]]:
    """Per table that differs, what only `expected` has (`missing`) and what it has not (`unexpected`)."""
    found = {name: Counter(rows) for name, rows in contents(project).items()}
    wanted = {name: Counter(rows) for name, rows in expected.items()}
    return {
        name: {
            "missing": list((wanted[name] - rows).elements()),
            "unexpected": list((rows - wanted[name]).elements()),
        }
        for name, rows in found.items()
        if rows != wanted[name]
    }
