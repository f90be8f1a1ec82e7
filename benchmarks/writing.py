"""Writing a day's hits as the pipeline does, against a bare pyarrow.parquet.write_table."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks._library import DAYS, HITS, SETS, days, hits_of_day
from benchmarks._measuring import medians, report, report_memory
from visualsearch_pipeline.warehouse import ParquetStore


def main() -> None:
    folder = Path(os.environ["BENCHMARK_FOLDER"]) / "writing"
    folder.mkdir(exist_ok=True)
    store, bare = ParquetStore(str(folder / "ours")), folder / "bare.parquet"
    for rows in (27_000, 500_000):
        table = _hits(rows)
        other = table.set_column(table.column_names.index("run_id"), "run_id", pa.repeat("another run", rows))
        turns = itertools.cycle((table, other))

        def ours(turns: Iterator[pa.Table] = turns) -> None:
            # Two tables in turn: the same rows again would be left alone.
            store.write_hits("street", days()[0], next(turns))

        def bare_arrow(table: pa.Table = table) -> None:
            pq.write_table(table, bare)

        def bare_zstd(table: pa.Table = table) -> None:
            pq.write_table(table, bare, compression="zstd")

        seconds, arrow, zstd = medians([ours, bare_arrow, bare_zstd], rounds=7)
        report(f"{rows:,} hits", ours=seconds, theirs=arrow, against="bare write_table")
        report(f"{rows:,} hits", ours=seconds, theirs=zstd, against="the same with zstd")
    report_memory("writing")


def _hits(rows: int) -> pa.Table:
    per_day = HITS // (DAYS * len(SETS))
    parts = [hits_of_day("street", days()[0], seed=seed) for seed in range(rows // per_day + 1)]
    return pa.concat_tables(parts).slice(0, rows).sort_by([("query_id", "ascending"), ("rank", "ascending")])
