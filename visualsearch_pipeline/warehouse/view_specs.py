"""What a view and a macro of the published database are."""

from __future__ import annotations

from dataclasses import dataclass

from visualsearch_pipeline.warehouse.table_spec import ColumnSpec


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """One view.

    Attributes:
        name: Its name in SQL.
        description: What a row is.
        columns: In the order of its select.
        sql: Its select.
    """

    name: str
    description: str
    columns: tuple[ColumnSpec, ...]
    sql: str


@dataclass(frozen=True, slots=True)
class MacroSpec:
    """One table macro: a question with a blank in it.

    Attributes:
        name: Its name in SQL.
        parameters: The names of its blanks.
        description: What it answers.
        example: A use of it.
        sql: Its select.
    """

    name: str
    parameters: tuple[str, ...]
    description: str
    example: str
    sql: str
