"""Writing a day's hits as the pipeline does, against a bare pyarrow.parquet.write_table."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks._library import DAYS, HITS, IS_FULL_SIZE, MOST_BYTES, SETS, days, hits_of_day
from benchmarks._measuring import compared, medians, peak_memory, print_table
from visualsearch_pipeline.warehouse import ParquetStore

MOST_RATIO: Final = 2.0
"""Half as fast as `write_table`, which neither compresses as well, nor checks, nor waits for the disk."""


def main() -> None:
    folder = Path(os.environ["BENCHMARK_FOLDER"]) / "writing"
    folder.mkdir(exist_ok=True)
    store, bare = ParquetStore(str(folder / "ours")), folder / "bare.parquet"
    figures = []
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
        what = f"{rows:,} hits"
        figures += [
            compared(what, ours=seconds, theirs=arrow, against="bare `write_table`", most_ratio=MOST_RATIO),
            compared(what, ours=seconds, theirs=zstd, against="the same with zstd"),
        ]
    figures.append(peak_memory("peak memory, writing", most_bytes=MOST_BYTES))
    print_table(figures, is_judged=IS_FULL_SIZE)


def _hits(rows: int) -> pa.Table:
    per_day = HITS // (DAYS * len(SETS))
    parts = [hits_of_day("street", days()[0], seed=seed) for seed in range(rows // per_day + 1)]
    return pa.concat_tables(parts).slice(0, rows).sort_by([("query_id", "ascending"), ("rank", "ascending")])
