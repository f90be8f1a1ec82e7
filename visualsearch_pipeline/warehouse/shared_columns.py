"""Types, meanings and columns that several tables of the warehouse have in common."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from visualsearch_pipeline.warehouse.table_spec import ColumnSpec

STRING: Final = pa.string()
INTEGER: Final = pa.int64()
DOUBLE: Final = pa.float64()
DAY: Final = pa.date32()

DAY_MEANING: Final = "Partition: the UTC date fixed when the media item was first seen."
RUN_MEANING: Final = "The run that wrote this row."
QUERY_COLUMNS: Final = (
    ColumnSpec("query_set", STRING, "The query set: the name of its file without the extension.", nullable=False),
    ColumnSpec("query_id", STRING, "The query's id within its set.", nullable=False),
    ColumnSpec(
        "query_version", STRING, "Hash of what the query asks; a changed question is a new one.", nullable=False
    ),
)
