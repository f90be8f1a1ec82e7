"""What can go wrong between a table in memory and a question that an analyst asks.

WarehouseError
├── SchemaMismatchError          rows that do not fit their table
├── ParquetFileError             a file that cannot be read as what it should be
├── StorageWriteError            a file that could not be written; what was there before is untouched
├── PublicationError             the database was not swapped; the old one, if any, is untouched
│   └── PublicationBusyError     another publication is under way
├── ExportError                  a file for another program was not written
└── ReadError
    ├── NotPublishedError        there is no database yet
    └── InvalidSqlError          the database refuses the question
"""

from __future__ import annotations


class WarehouseError(Exception):
    """Anything this layer raises. The message says what was attempted, on what, what came back and what to do."""


class SchemaMismatchError(WarehouseError):
    """Rows do not fit the table they are meant for.

    Attributes:
        table: The table's name.
        column: The first column that does not fit.
    """

    def __init__(self, message: str, *, table: str, column: str) -> None:
        super().__init__(message)
        self.table = table
        self.column = column


class ParquetFileError(WarehouseError):
    """A Parquet file is damaged, incomplete, or not the file its place says it is.

    Attributes:
        path: The file.
    """

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class StorageWriteError(WarehouseError):
    """A file could not be written. Whatever stood under its name still stands.

    Attributes:
        path: The file.
    """

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class PublicationError(WarehouseError):
    """The database was not published. The one published before, if any, is as it was."""


class PublicationBusyError(PublicationError):
    """Another process is publishing the same database and did not finish in time."""


class ExportError(WarehouseError):
    """A table or an answer was not exported. Whatever stood under the file's name still stands."""


class ReadError(WarehouseError):
    """A question to the published database was not answered."""


class NotPublishedError(ReadError):
    """There is no published database at this path."""


class InvalidSqlError(ReadError):
    """The database refused the SQL; the message is the database's own."""
