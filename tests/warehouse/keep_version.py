"""Keeps files and database of the present schema in `versions/`, for the tests of the versions that follow.

    python tests/warehouse/keep_version.py [folder]

Run it before a table's version is raised. Every column of every table has a value.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from visualsearch_pipeline.warehouse import TABLES, ParquetStore, publish
from visualsearch_pipeline.warehouse.schemas import FILE_TABLES, LEDGER_TABLES, SCHEMA_VERSION

NOON: Final = datetime(2026, 2, 1, 12, tzinfo=UTC)
DAYS: Final = (date(2026, 1, 30), date(2026, 1, 31))
VALUES: Final[dict[str, object]] = {
    "int32": 1,
    "int64": 1,
    "double": 0.5,
    "bool": True,
    "date32[day]": DAYS[-1],
    "timestamp[us, tz=UTC]": NOON,
}
NAMED: Final = {"query_set": "street", "query_id": "dog", "query_version": "v1", "kind": "text", "state": "ready"}


def row(table: str, **given: object) -> dict[str, object]:
    """A row with a value in every column: what is given, or something that tells where it belongs."""
    made: dict[str, object] = {}
    for column in TABLES[table].columns:
        kind = str(column.type)
        text: object = [f"{column.name} of {table}"] if kind.startswith("list") else f"{column.name} of {table}"
        made[column.name] = VALUES.get(kind, NAMED.get(column.name, text))
    return made | {name: value for name, value in given.items() if name in made}


def fill(folder: Path) -> None:
    """Files of every table, and the database that is published from them."""
    store = ParquetStore(str(folder))

    def rows(table: str, *made: dict[str, object]) -> pa.Table:
        return pa.Table.from_pylist(list(made), schema=TABLES[table].arrow_schema)

    ledger = {}
    for spec in FILE_TABLES:
        per_day = [row(spec.name, day=day, video_no=f"VI{day:%d}") for day in DAYS]
        if spec.name == "hits":
            for day in DAYS:
                first, second = (
                    row(
                        "hits", day=day, video_no=f"VI{day:%d}", start_seconds=start, end_seconds=start + 2.5, rank=rank
                    )
                    for rank, start in ((1, 0.0), (2, 2.0))
                )
                store.write_hits("street", day, rows("hits", first, second))
        elif spec in LEDGER_TABLES:
            is_by_day = spec.name == "coverage"
            ledger[spec.name] = rows(spec.name, *(per_day if is_by_day else [row(spec.name, video_no="VI31")]))
            if spec.name == "api_calls":
                ledger[spec.name] = rows(spec.name, row(spec.name, day=NOON.date()))
        elif spec.partition_by:
            for day, made in zip(DAYS, per_day, strict=True):
                query_set = "street" if "query_set" in spec.partition_by else None
                store.write_part(spec.name, rows(spec.name, made), query_set=query_set, day=day)
        else:
            store.write_table(spec.name, rows(spec.name, row(spec.name)))
    publish(store, folder / "visualsearch.duckdb", ledger, ["street"], snapshot_days=0)


def main() -> None:
    into = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("versions")
    archive = into / f"schema-{SCHEMA_VERSION}.tar.xz"
    with tempfile.TemporaryDirectory() as name:
        fill(Path(name))
        with tarfile.open(archive, "w:xz") as packed:
            for path in sorted(Path(name).rglob("*")):
                if path.suffix in {".parquet", ".duckdb"}:
                    packed.add(path, arcname=str(path.relative_to(name)))
    sys.stdout.write(f"{archive}: {', '.join(sorted(spec.name for spec in FILE_TABLES))}\n")


if __name__ == "__main__":
    main()
