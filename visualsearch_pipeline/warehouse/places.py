"""Where a part of a table lies in the warehouse's folder, and what part of it a path names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from visualsearch_pipeline.warehouse.table_spec import TableSpec

_QUERY_SET: Final = re.compile(r"[a-z][a-z0-9_]*")
_KEY_IN_PATH: Final = re.compile(r"([a-z_]+)=([^/]+)/")


@dataclass(frozen=True, slots=True)
class TableFile:
    """One Parquet file of the warehouse.

    Attributes:
        table: The table it is a part of.
        path: Relative to the store's root.
        query_set: The query set in its path, if the table has one there.
        day: The day in its path, if the table has one there.
    """

    table: str
    path: str
    query_set: str | None = None
    day: date | None = None

    @property
    def partition(self) -> Mapping[str, str | date]:
        """The columns that stand in the path, with their values."""
        values = {"query_set": self.query_set, "day": self.day}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def partition_text(self) -> str:
        """The same as text, as a file says of itself where it belongs."""
        return "/".join(f"{name}={value}" for name, value in self.partition.items())


def place(spec: TableSpec, *, query_set: str | None = None, day: date | None = None) -> TableFile:
    """Where a part of a table lies. Raises `ValueError` for a part that the table does not have."""
    file = _place(spec, query_set=query_set, day=day)
    given = tuple(file.partition)
    if given != spec.partition_by:
        wanted = ", ".join(spec.partition_by) or "nothing"
        raise ValueError(
            f"a file of the table {spec.name} is named by {wanted}, not by {', '.join(given) or 'nothing'}"
        )
    return file


def locate(spec: TableSpec, path: str) -> TableFile | None:
    """What part of a table lies at `path`, in the layout of this version or an earlier one; None if none does."""
    keys = dict(_KEY_IN_PATH.findall(path))
    try:
        day = date.fromisoformat(keys["day"]) if "day" in keys else None
        file = _place(spec, query_set=keys.get("query_set"), day=day)
    except ValueError:
        return None
    is_known = tuple(file.partition) in (spec.partition_by, *spec.earlier_partitions)
    return file if is_known and file.path == path else None


def _place(spec: TableSpec, *, query_set: str | None, day: date | None) -> TableFile:
    if query_set is not None and not _QUERY_SET.fullmatch(query_set):
        raise ValueError(f"{query_set!r} is not the name of a query set")
    folders = f"query_set={query_set}/" if query_set is not None else ""
    folders += f"day={day}/" if day is not None else ""
    return TableFile(spec.name, f"{spec.name}/{folders}{spec.name}.parquet", query_set=query_set, day=day)
