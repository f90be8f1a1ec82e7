"""Answers about private images on their way into the tables: hits to Parquet first, coverage to the ledger last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date

import pyarrow as pa

from visualsearch_pipeline.api import ImageHit
from visualsearch_pipeline.ledger import CoveredImage, LibraryImage, Question
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.upload_marks import hash_mark, mark_in_name
from visualsearch_pipeline.queries import ImageLibraryQuery, image_counts
from visualsearch_pipeline.warehouse import TABLES, SearchedImage, merge_image_hits
from visualsearch_pipeline.warehouse.library_schemas import IMAGE_HITS


class ImageAnswers:
    """The answers of one run of a query set about private images, kept until a round is through.

    Args:
        pipeline: The run.
        query_set: The set's name.

    Attributes:
        pair_count: (query, image) pairs that got their answer.
        hit_count: Images that were found.
        truncated_count: Pairs that may match beyond what the service can be made to give.
    """

    def __init__(self, pipeline: Pipeline, query_set: str) -> None:
        self._pipeline = pipeline
        self._query_set = query_set
        self._rows: dict[date, list[Mapping[str, object]]] = defaultdict(list)
        self._covered: dict[date, list[CoveredImage]] = defaultdict(list)
        self._top_k: dict[tuple[str, str], int] = {}
        self.pair_count = self.hit_count = self.truncated_count = 0

    def keep(
        self,
        found: Sequence[ImageHit],
        query: ImageLibraryQuery,
        question: Question,
        images: Sequence[LibraryImage],
        *,
        truncated: Collection[str] = (),
    ) -> None:
        """Keep the final answer about `images`; other images that it found are dropped.

        Args:
            found: As the service sent it, names corrected by `identified`.
            query: What was asked.
            question: The same, as the ledger knows it.
            images: About which the answer is final.
            truncated: The ids of those that may match although they were not found.
        """
        if query.top_k is not None:
            self._top_k[question.query_id, question.query_version] = query.top_k
        hits = {hit.image_id: hit for hit in found if image_counts(query, hit.score)}
        for image in images:
            hit = hits.get(image.image_id)
            if hit is not None:
                self._rows[image.day].append(self._row(hit, question, image))
            self._covered[image.day].append(
                CoveredImage(
                    query_set=question.query_set,
                    query_id=question.query_id,
                    query_version=question.query_version,
                    image_id=image.image_id,
                    day=image.day,
                    hits=int(hit is not None),
                    truncated=image.image_id in truncated,
                )
            )

    def commit(self) -> None:
        """Write every answer, newest day first: all of them were paid for."""
        for day in sorted(self._covered, reverse=True):
            self._commit_day(day, self._rows.pop(day, []), self._covered[day])
        self._covered.clear()

    def _commit_day(self, day: date, rows: Sequence[Mapping[str, object]], covered: Sequence[CoveredImage]) -> None:
        pipeline, name = self._pipeline, IMAGE_HITS.name
        searched = {SearchedImage(pair.query_id, pair.query_version, pair.image_id) for pair in covered}
        unranked = pa.schema([field for field in TABLES[name].arrow_schema if field.name != "rank"])
        with pipeline.locked(f"{name}-{self._query_set}-{day.isoformat()}"):
            existing = pipeline.store.read_part(name, query_set=self._query_set, day=day)
            found = pa.Table.from_pylist(list(rows), schema=unranked)
            merged = merge_image_hits(existing, found, searched=searched, top_k=self._top_k)
            pipeline.store.write_part(name, merged, query_set=self._query_set, day=day)
            pipeline.ledger.image_searches.record_coverage(covered, run_id=pipeline.run_id, at=pipeline.now())
            self._recount(day, merged)
        self.pair_count += len(covered)
        self.hit_count += sum(pair.hits for pair in covered)
        self.truncated_count += sum(pair.truncated for pair in covered)

    def _recount(self, day: date, merged: pa.Table) -> None:
        """A query that keeps the best of a day may have dropped some, also of images that were answered earlier."""
        for query_id, version in self._top_k:
            question = Question(query_set=self._query_set, query_id=query_id, query_version=version)
            of_query = [
                str(row["image_id"])
                for row in merged.select(["query_id", "query_version", "image_id"]).to_pylist()
                if (row["query_id"], row["query_version"]) == (query_id, version)
            ]
            self._pipeline.ledger.image_searches.recount(question, day=day, found=of_query)

    def _row(self, hit: ImageHit, question: Question, image: LibraryImage) -> Mapping[str, object]:
        now = self._pipeline.now()
        # The link that comes with a hit is signed and expires: where the image lies is kept, never how to get it.
        return {
            "query_set": question.query_set,
            "query_id": question.query_id,
            "query_version": question.query_version,
            "day": image.day,
            "image_id": image.image_id,
            "sha256": image.sha256,
            "media_uri": image.uri,
            "image_name": hit.name,
            "score": hit.score,
            "captured_at": image.captured_at or hit.captured_at,
            "camera_model": image.camera_model or hit.camera_model,
            "latitude": hit.latitude if image.latitude is None else image.latitude,
            "longitude": hit.longitude if image.longitude is None else image.longitude,
            "bucket": hit.bucket,
            "blob": hit.blob,
            "searched_at": now,
            "run_id": self._pipeline.run_id,
            "found_at": now,
            "found_run_id": self._pipeline.run_id,
        }


def identified(found: Sequence[ImageHit], images: Sequence[LibraryImage]) -> tuple[ImageHit, ...]:
    """Hits under the ids that the ledger has for the images which their names tell.

    Which id of a batch is whose is taken from the order of the answer, which is not documented (contract §2.3). The
    name is ours and carries the hash: where the two disagree, the name is right.
    """
    by_mark = {hash_mark(image.sha256): image.image_id for image in images}
    corrected = []
    for hit in found:
        own_id = by_mark.get(mark_in_name(hit.name) or "")
        corrected.append(hit if own_id in (None, hit.image_id) else hit.model_copy(update={"image_id": own_id}))
    return tuple(corrected)
