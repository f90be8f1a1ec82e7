"""The warehouse: Parquet files, and the read-only DuckDB file that is published from them."""

from visualsearch_pipeline.warehouse.errors import (
    ExportError,
    InvalidSqlError,
    NotPublishedError,
    ParquetFileError,
    PublicationBusyError,
    PublicationError,
    ReadError,
    SchemaMismatchError,
    StorageWriteError,
    WarehouseError,
)
from visualsearch_pipeline.warehouse.export import Exported, ExportFormat, export
from visualsearch_pipeline.warehouse.hit_changes import Answer, replace_hits
from visualsearch_pipeline.warehouse.hits import SearchedPair, merge_hits
from visualsearch_pipeline.warehouse.library_hits import (
    AskedQuery,
    SearchedImage,
    merge_image_hits,
    merge_public_hits,
)
from visualsearch_pipeline.warehouse.parquet import ParquetStore, WrittenFile
from visualsearch_pipeline.warehouse.places import TableFile
from visualsearch_pipeline.warehouse.publication import publish
from visualsearch_pipeline.warehouse.publication_record import Publication, read_publication
from visualsearch_pipeline.warehouse.reading import AnswerStream, ReadResult, open_read_only, query, stream
from visualsearch_pipeline.warehouse.schemas import TABLES, column_schema
from visualsearch_pipeline.warehouse.snapshots import Snapshot, snapshots_of
from visualsearch_pipeline.warehouse.table_spec import ColumnSpec, TableSpec

__all__ = [
    "TABLES",
    "Answer",
    "AnswerStream",
    "AskedQuery",
    "ColumnSpec",
    "ExportError",
    "ExportFormat",
    "Exported",
    "InvalidSqlError",
    "NotPublishedError",
    "ParquetFileError",
    "ParquetStore",
    "Publication",
    "PublicationBusyError",
    "PublicationError",
    "ReadError",
    "ReadResult",
    "SchemaMismatchError",
    "SearchedImage",
    "SearchedPair",
    "Snapshot",
    "StorageWriteError",
    "TableFile",
    "TableSpec",
    "WarehouseError",
    "WrittenFile",
    "column_schema",
    "export",
    "merge_hits",
    "merge_image_hits",
    "merge_public_hits",
    "open_read_only",
    "publish",
    "query",
    "read_publication",
    "replace_hits",
    "snapshots_of",
    "stream",
]
