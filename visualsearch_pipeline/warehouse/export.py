"""Tables and answers as files for other programs: CSV, Parquet, or JSON with one object a line.

Streamed from the database to the file, so that memory does not grow with the rows; written aside and renamed.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

import duckdb

from visualsearch_pipeline.warehouse.errors import ExportError, InvalidSqlError
from visualsearch_pipeline.warehouse.reading import open_read_only
from visualsearch_pipeline.warehouse.refused_questions import refusal
from visualsearch_pipeline.warehouse.storage import fsync_file, fsync_folder

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ExportFormat(StrEnum):
    """What kind of file. The values are what people type."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON_LINES = "jsonl"


_FORMAT_BY_SUFFIX: Final[Mapping[str, ExportFormat]] = MappingProxyType(
    {
        ".csv": ExportFormat.CSV,
        ".parquet": ExportFormat.PARQUET,
        ".jsonl": ExportFormat.JSON_LINES,
        ".ndjson": ExportFormat.JSON_LINES,
    }
)

_COPY_OPTIONS: Final[Mapping[ExportFormat, str]] = MappingProxyType(
    {
        ExportFormat.CSV: "FORMAT csv, HEADER",
        ExportFormat.PARQUET: "FORMAT parquet, COMPRESSION zstd",
        ExportFormat.JSON_LINES: "FORMAT json",
    }
)


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written.

    Attributes:
        path: Where.
        format: What kind of file it is.
        row_count: Its rows, a CSV file's header not counted.
        size_bytes: Its size.
    """

    path: Path
    format: ExportFormat
    row_count: int
    size_bytes: int


def export(
    database_path: Path | str,
    source: str,
    destination: Path,
    *,
    format: ExportFormat | None = None,  # noqa: A002 - the word for it
) -> Exported:
    """Write a table, a view, or the answer to a question into a file. Whatever stood there before is replaced.

    Args:
        database_path: The published database.
        source: The name of a table or view, or one SQL statement that gives rows.
        destination: The file; its folder must exist.
        format: What kind of file; by default what the name of `destination` ends in says.

    Raises:
        NotPublishedError: there is no database yet.
        InvalidSqlError: the database refuses the question, or it is not exactly one that gives rows.
        ExportError: the file cannot be written, or its name does not say what kind it is. What stood there still does.
    """
    chosen = format or _format_of(destination)
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    with open_read_only(database_path) as connection:
        question = _question(connection, source)
        try:
            # Bound, not asked: what is wrong with it is told of itself, not of the COPY around it.
            connection.sql(question)
            copied = connection.execute(
                f"COPY ({question}) TO {_literal(str(temporary))} ({_COPY_OPTIONS[chosen]})"
            ).fetchone()
            fsync_file(temporary)
            temporary.replace(destination)
            fsync_folder(destination.absolute().parent)
        except (OSError, duckdb.IOException) as error:
            message = f"cannot write {destination}: {error}. What stood there before is untouched; "
            raise ExportError(f"{message}make room, or name a folder that exists and can be written") from error
        except duckdb.Error as error:
            raise InvalidSqlError(refusal(connection, error, database_path=database_path)) from error
        finally:
            temporary.unlink(missing_ok=True)
    return Exported(destination, chosen, copied[0] if copied else 0, destination.stat().st_size)


def _format_of(destination: Path) -> ExportFormat:
    try:
        return _FORMAT_BY_SUFFIX[destination.suffix.lower()]
    except KeyError:
        known = ", ".join(_FORMAT_BY_SUFFIX)
        message = f"the name {destination.name} does not say what kind of file it is to be"
        raise ExportError(f"{message}; let it end in one of {known}") from None


def _question(connection: duckdb.DuckDBPyConnection, source: str) -> str:
    if _NAME.fullmatch(source.strip()):
        return f'FROM "{source.strip()}"'
    try:
        statements = connection.extract_statements(source)
    except duckdb.Error as error:
        raise InvalidSqlError(f"the question cannot be read: {error}") from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise InvalidSqlError(
            "what is exported is a table, a view, or one statement that gives rows, such as FROM hits"
        )
    return statements[0].query.strip().rstrip(";")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
