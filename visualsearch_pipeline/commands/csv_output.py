"""Rows as comma-separated values, written as they come."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from typing import TextIO


def write_csv(target: TextIO, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows to `target`, a header first. What is absent is empty; lists and structures are JSON.

    Args:
        target: Where to.
        columns: The header.
        rows: Python values, read as they are written.
    """
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> object:
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value
