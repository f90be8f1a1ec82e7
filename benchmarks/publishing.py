"""Publishing one changed day into 10 million hits, against building all of it anew."""

from __future__ import annotations

import statistics
import time
from typing import Final

from benchmarks._library import IS_FULL_SIZE, MOST_BYTES, SETS, days, hits_of_day, library, queries, videos
from benchmarks._measuring import compared, peak_memory, print_table
from visualsearch_pipeline.warehouse import publish

ROUNDS: Final = 3
MOST_OF_A_REBUILD: Final = 0.1


def main() -> None:
    store, database = library()
    ledger_tables = {"videos": videos(), "queries": queries()}
    updates: list[float] = []
    rebuilds: list[float] = []
    for number in range(ROUNDS):
        day = days()[-1 - number]
        for query_set in SETS:
            store.write_hits(query_set, day, hits_of_day(query_set, day, seed=1000 + number))
        start = time.perf_counter()
        updated = publish(store, database, ledger_tables, SETS)
        updates.append(time.perf_counter() - start)
        assert updated.changed
        assert not updated.rebuilt
        start = time.perf_counter()
        rebuilt = publish(store, database, ledger_tables, SETS, rebuild=True)
        rebuilds.append(time.perf_counter() - start)
        assert rebuilt.rebuilt
        assert rebuilt.row_counts == updated.row_counts
    start = time.perf_counter()
    assert not publish(store, database, ledger_tables, SETS).changed
    nothing = time.perf_counter() - start
    rebuild = statistics.median(rebuilds)
    changed = statistics.median(updates)
    figures = (
        compared("one changed day", ours=changed, theirs=rebuild, against="all anew", most_ratio=MOST_OF_A_REBUILD),
        compared("nothing changed", ours=nothing, theirs=rebuild, against="all anew"),
        peak_memory("peak memory, publishing both ways", most_bytes=MOST_BYTES),
    )
    print_table(figures, is_judged=IS_FULL_SIZE)
