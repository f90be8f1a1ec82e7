"""Hits in private images and in the public library: one day's rows, of what stands there and what is new."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from visualsearch_pipeline.warehouse.library_schemas import IMAGE_HITS, PUBLIC_HITS
from visualsearch_pipeline.warehouse.table_spec import TableSpec


@dataclass(frozen=True, slots=True)
class SearchedImage:
    """One version of a query, asked about one private image."""

    query_id: str
    query_version: str
    image_id: str


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """One version of a query, asked of the public library on one day."""

    query_id: str
    query_version: str


_IMAGES: Final = ("query_id", "query_version", "image_id")
_PUBLIC: Final = ("query_id", "query_version")
_FIRST_FINDING: Final = ("found_at", "found_run_id")

_PLACE_IN_IMAGES: Final = "image_id"
_PLACE_IN_VIDEOS: Final = "platform, video_no, start_seconds, end_seconds, text"


def merge_image_hits(
    existing: pa.Table,
    found: pa.Table,
    *,
    searched: Collection[SearchedImage],
    top_k: Mapping[tuple[str, str], int] | None = None,
) -> pa.Table:
    """One day's image hits after a search: answers given anew replace the earlier ones, all others stay.

    What a query version found before keeps the time and the run of its first finding.

    Args:
        existing: What stands there.
        found: What was found now, with the columns of `image_hits` save `rank`; `found_at` and `found_run_id` are those
            of this search.
        searched: Every pair that was asked now, those without a hit included.
        top_k: How many hits to keep, by query id and version; those not named keep all.

    Raises:
        SchemaMismatchError: either table does not fit.
    """
    keys = [(pair.query_id, pair.query_version, pair.image_id) for pair in searched]
    first_found = _with_first_finding(existing, found)
    return _merged(
        IMAGE_HITS, existing, first_found, names=_IMAGES, keys=keys, place=_PLACE_IN_IMAGES, top_k=top_k or {}
    )


def merge_public_hits(
    existing: pa.Table,
    found: pa.Table,
    *,
    asked: Collection[AskedQuery],
    top_k: Mapping[tuple[str, str], int] | None = None,
) -> pa.Table:
    """One day's public hits after asking: as `merge_image_hits`, where a question's whole answer is replaced."""
    keys = [(query.query_id, query.query_version) for query in asked]
    return _merged(PUBLIC_HITS, existing, found, names=_PUBLIC, keys=keys, place=_PLACE_IN_VIDEOS, top_k=top_k or {})


def _with_first_finding(existing: pa.Table, found: pa.Table) -> pa.Table:
    """`found`, where a hit that stands there already keeps when and by which run it was found first."""
    stands_there = IMAGE_HITS.conform(existing).select([*_IMAGES, *_FIRST_FINDING])
    first = {tuple(row[name] for name in _IMAGES): row for row in stands_there.to_pylist()}
    rows = found.to_pylist()
    for row in rows:
        stands = first.get(tuple(row[name] for name in _IMAGES))
        if stands is not None:
            row.update({name: stands[name] for name in _FIRST_FINDING})
    return pa.Table.from_pylist(rows, schema=found.schema)


def _merged(
    spec: TableSpec,
    existing: pa.Table,
    found: pa.Table,
    *,
    names: tuple[str, ...],
    keys: Collection[tuple[str, ...]],
    place: str,
    top_k: Mapping[tuple[str, str], int],
) -> pa.Table:
    """`place` are the columns that tell two matches of one question apart; of the same match the best score stays."""
    unranked = found.append_column("rank", pa.repeat(pa.scalar(0, pa.int32()), found.num_rows))
    columns = zip(*sorted(set(keys)), strict=True) if keys else ([] for _ in names)
    asked = pa.table({name: pa.array(values, pa.string()) for name, values in zip(names, columns, strict=True)})
    most = [{"query_id": query, "query_version": version, "most": most} for (query, version), most in top_k.items()]
    limits = pa.schema([("query_id", pa.string()), ("query_version", pa.string()), ("most", pa.int64())])
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("existing", spec.conform(existing))
        connection.register("found", spec.conform(unranked))
        connection.register("asked", asked)
        connection.register("limits", pa.Table.from_pylist(most, schema=limits))
        merged = connection.sql(f"""
            WITH merged AS (
                SELECT * EXCLUDE (rank) FROM existing ANTI JOIN asked USING ({", ".join(names)})
                UNION ALL BY NAME
                SELECT * EXCLUDE (rank) FROM found
            ),
            once AS (
                SELECT DISTINCT ON (query_id, query_version, {place}) * FROM merged
                ORDER BY query_id, query_version, {place}, score DESC NULLS LAST
            ),
            ranked AS (
                SELECT *, row_number() OVER (
                    PARTITION BY query_id, query_version ORDER BY score DESC NULLS LAST, {place}
                )::INTEGER AS rank
                FROM once
            )
            SELECT ranked.* FROM ranked LEFT JOIN limits USING (query_id, query_version)
            WHERE most IS NULL OR rank <= most
            ORDER BY query_id, query_version, rank
        """)  # noqa: S608 - our own names
        return spec.conform(merged.to_arrow_table())
