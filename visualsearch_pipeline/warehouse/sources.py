"""What a publication is made of: the files of the store as they stand, the query sets, and who builds it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import duckdb

from visualsearch_pipeline import __version__
from visualsearch_pipeline.warehouse.parquet import ParquetStore
from visualsearch_pipeline.warehouse.places import TableFile
from visualsearch_pipeline.warehouse.schemas import FILE_TABLES, SCHEMA_VERSION

LAYOUT_VERSION: Final = 2
"""Rises with every change of what is built, so that a published file of an older layout is built anew."""


@dataclass(frozen=True)
class Sources:
    """The inputs of a publication.

    Attributes:
        identities: Every file, and a text that changes whenever it is replaced.
        query_sets: The sets that get a view, sorted.
    """

    identities: Mapping[TableFile, str]
    query_sets: tuple[str, ...]

    @classmethod
    def of(cls, store: ParquetStore, *, query_sets: tuple[str, ...]) -> Sources:
        """What `store` holds now.

        Taken before a file is read: one that is replaced meanwhile is published anew the next time, never overlooked.

        Raises:
            ParquetFileError: a file lies where none of its table belongs.
        """
        identities: dict[TableFile, str] = {}
        for spec in FILE_TABLES:
            identities.update(store.identities(spec.name))
        return cls(identities=identities, query_sets=query_sets)

    @property
    def making(self) -> str:
        """Hash of who builds: a database of another making is built anew."""
        return _hash([__version__, duckdb.__version__, SCHEMA_VERSION, LAYOUT_VERSION])

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything the database will hold. Begins with `making`."""
        files = sorted((file.path, identity) for file, identity in self.identities.items())
        return f"{self.making}-{_hash([files, self.query_sets])}"


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]
