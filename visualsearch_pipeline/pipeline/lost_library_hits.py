"""Hits in private images and in the public library whose file was deleted behind our back; as `lost_hits` for videos.

What was found in images is asked again. What the public library held on a past day cannot be: only the answers of the
present day are forgotten.
"""

from __future__ import annotations

from datetime import date
from typing import Protocol

import sqlalchemy as sa

from visualsearch_pipeline.ledger.schema_images import image_coverage
from visualsearch_pipeline.ledger.schema_public import public_answers
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.public_search import day_of_asking
from visualsearch_pipeline.warehouse.library_schemas import IMAGE_HITS, PUBLIC_HITS
from visualsearch_pipeline.warehouse.places import place
from visualsearch_pipeline.warehouse.table_spec import TableSpec


def forget_lost_library_hits(pipeline: Pipeline) -> int:
    """Let everything be asked again whose hits are in no file any more; say how many answers. Makes no call.

    Raises:
        ParquetFileError: a file lies where none belongs.
    """
    ledger = pipeline.ledger
    return _forget(pipeline, IMAGE_HITS, image_coverage, ledger.image_searches.forget_hits) + _forget(
        pipeline, PUBLIC_HITS, public_answers, ledger.public_searches.forget_hits, only_on=day_of_asking(pipeline)
    )


class _ForgetHits(Protocol):
    def __call__(self, query_set: str, *, day: date) -> int: ...


def _forget(
    pipeline: Pipeline, spec: TableSpec, answers: sa.Table, forget_hits: _ForgetHits, *, only_on: date | None = None
) -> int:
    present = {(file.query_set, file.day) for file in pipeline.store.files(spec.name)}
    select = sa.select(answers.c.query_set, answers.c.day).where(answers.c.hits > 0).distinct()
    if only_on is not None:
        select = select.where(answers.c.day == only_on)
    forgotten = 0
    for row in pipeline.ledger.rows(select):
        query_set, day = str(row["query_set"]), row["day"]
        if not isinstance(day, date) or (query_set, day) in present:
            continue
        with pipeline.locked(f"{spec.name}-{query_set}-{day.isoformat()}"):
            if pipeline.store.storage.exists(place(spec, query_set=query_set, day=day).path):
                # Written since we looked.
                continue
            count = forget_hits(query_set, day=day)
        forgotten += count
        pipeline.progress.note(
            f"the file of {spec.name} of {query_set}/{day} is gone from {pipeline.store.root}: {count} answers are "
            "forgotten and asked for again. Keep other programs out of that folder"
        )
    return forgotten
