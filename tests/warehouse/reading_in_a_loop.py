"""Asks a published database the same question until a file named `done` lies beside it; prints what it saw as JSON.

    python reading_in_a_loop.py <database> fresh|plain

`plain` opens the path as any program does, without this package; `fresh` as the package does.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb

from visualsearch_pipeline.warehouse import open_read_only

QUESTION = """
    SELECT found.runs, found.days, found.rows, (SELECT any_value(state) FROM videos),
           (SELECT row_counts['hits'] FROM publication)
    FROM (SELECT list(DISTINCT run_id) AS runs, count(DISTINCT day) AS days, count(*) AS rows FROM street) AS found
"""
PAUSE_SECONDS = 0.1


def main() -> None:
    database, way = Path(sys.argv[1]), sys.argv[2]
    done = database.with_name("done")
    seen: Counter[str] = Counter()
    errors: list[str] = []
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not done.exists():
        try:
            with open_read_only(database) if way == "fresh" else duckdb.connect(str(database), read_only=True) as asked:
                seen[json.dumps(asked.execute(QUESTION).fetchall())] += 1
        except Exception as error:  # noqa: BLE001 - whatever a reader may meet is what is looked for
            errors.append(repr(error))
        # Two cores have to serve the publisher, too.
        time.sleep(PAUSE_SECONDS)
    sys.stdout.write(json.dumps({"seen": seen, "errors": errors[:5]}))


if __name__ == "__main__":
    main()
