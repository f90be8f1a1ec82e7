"""What to tell those whose question the database refuses: above all, which tables there are instead."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Final

import duckdb

_NO_TABLE: Final = re.compile(r'Table with name "?(\w+)"? does not exist')
_SHOWN_STATEMENT: Final = "\n\nLINE "
"""Where DuckDB begins to show the statement, which in an export is not the one that was typed."""


def refusal(connection: duckdb.DuckDBPyConnection, error: duckdb.Error, *, database_path: Path | str) -> str:
    """The message for a question that `connection` refused with `error`.

    A name that is no table is answered with what it was, if it is a query or a set that was retired, and with the
    tables that there are.
    """
    said = str(error).partition(_SHOWN_STATEMENT)[0]
    missing = _NO_TABLE.search(said) if isinstance(error, duckdb.CatalogException) else None
    if missing is None:
        return f"{database_path} refuses the question: {said}"
    name = missing[1]
    tables = _column(connection, "SELECT DISTINCT table_name FROM duckdb_columns() WHERE NOT internal ORDER BY 1")
    return f"{database_path} has no table `{name}`; {_advice(connection, name, tables)}"


def _advice(connection: duckdb.DuckDBPyConnection, name: str, tables: list[str]) -> str:
    listed = f"there are: {', '.join(tables)}"
    if "queries" not in tables:
        return listed
    retired = "SELECT strftime(max(retired_at), '%Y-%m-%d') FROM queries WHERE {} = ? HAVING count(*) > 0 AND {}"
    is_retired = "NOT bool_or(is_current)"
    if days := _column(connection, retired.format("query_set", is_retired), name):
        return (
            f"the query set of this name is retired since {days[0]}. What it found is kept: "
            f"FROM hits WHERE query_set = '{name}'"
        )
    if days := _column(connection, retired.format("query_id", is_retired), name):
        return f"the query of this name is retired since {days[0]}. What it found is kept: FROM hits_of('{name}')"
    if _column(connection, retired.format("query_id", "true"), name):
        return f"it is a query, not a set: FROM hits_of('{name}')"
    nearest = difflib.get_close_matches(name.lower(), tables, n=1)
    return f"did you mean `{nearest[0]}`? {listed.capitalize()}" if nearest else listed


def _column(connection: duckdb.DuckDBPyConnection, sql: str, *values: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(sql, list(values)).fetchall()]
