"""Names of query sets and queries: they become Dagster assets, SQL views and values that analysts type."""

from __future__ import annotations

import re
from typing import Final

MAX_NAME_CHARACTERS: Final = 64

RESERVED_SET_NAMES: Final = frozenset(
    {
        # The warehouse's own tables and views, present and announced.
        "api_call_totals",
        "api_calls",
        "archive",
        "captions",
        "coverage",
        "current_image_hits",
        "current_public_hits",
        "failures",
        "hit_changes",
        "hits",
        "hits_by_day",
        "image_coverage",
        "image_hits",
        "images",
        "imported_videos",
        "keyframes",
        "moments",
        "new_image_hits",
        "public_answers",
        "public_hit_changes",
        "public_hits",
        "public_videos",
        "publication",
        "publication_files",
        "queries",
        "remote_deletions",
        "transcripts",
        "videos",
        # Where DuckDB itself lives.
        "duckdb_tables",
        "information_schema",
        "main",
        "pg_catalog",
        "temp",
    }
)
"""Names that a view of a query set would shadow, or be shadowed by."""

_KEYWORDS: Final = """
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
    default deferrable desc describe distinct do else end except false fetch for foreign from group having in
    initially intersect into lambda lateral leading limit not null offset on only or order pivot pivot_longer
    pivot_wider placing primary qualify references returning select show some summarize symmetric table then to
    trailing true union unique unpivot using variadic when where window with
"""

SQL_KEYWORDS: Final = frozenset(_KEYWORDS.split())
"""The words that DuckDB reserves: as a view's name they would have to be quoted in every question."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


def name_problem(name: str) -> str | None:
    """What is wrong with `name` as an identifier of a query set or a query; None if nothing is."""
    if len(name) > MAX_NAME_CHARACTERS:
        return f"has {len(name)} characters; a name has at most {MAX_NAME_CHARACTERS}"
    if _NAME.fullmatch(name):
        return None
    message = f"`{name}` is not a name: lower-case letters, digits and `_`, a letter first"
    proposal = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f"{message}; try `{proposal}`" if _NAME.fullmatch(proposal) else message


def set_name_problem(name: str) -> str | None:
    """What is wrong with `name` as the name of a query set, which is also a view in SQL; None if nothing is."""
    if problem := name_problem(name):
        return f"the file's name becomes the name of a table, and {problem}"
    if name in RESERVED_SET_NAMES:
        return f"the file's name becomes the name of a table, and the warehouse has its own `{name}`; rename the file"
    if name in SQL_KEYWORDS:
        return f"the file's name becomes the name of a table, and `{name}` is a word of SQL; rename the file"
    return None
