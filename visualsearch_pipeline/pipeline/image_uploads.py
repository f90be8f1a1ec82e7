"""Uploading queued images in batches, each exactly once.

Order of writing, per batch: leases, intent, call, result. What is given with a request holds for all its images, so a
batch has images of one day that were taken alike; one bad file rejects them all (contract §2.3), so a refused batch is
halved until the bad one stands alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

from visualsearch_pipeline import media
from visualsearch_pipeline.api import (
    ImageHit,
    InvalidInput,
    InvalidRequest,
    OutcomeUnknown,
    VisualSearchError,
)
from visualsearch_pipeline.api.limits import MAX_TOP_K
from visualsearch_pipeline.ledger import ImageUpload, Item, ItemState, LeaseOwner, UploadState
from visualsearch_pipeline.media import FileChanged, FileVanished, MediaRejected
from visualsearch_pipeline.pipeline.image_reconciling import ImageVerdict, LostImage, find_lost_image
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.sightings import source_file
from visualsearch_pipeline.pipeline.stopping import stopping_error
from visualsearch_pipeline.pipeline.upload_marks import DAY_TAG_PREFIX, HASH_TAG_PREFIX

SHORT_HASH: Final = 12
"""So many characters of a hash tell an image from every other of ours."""

_SHOWN_IDS: Final = 10


@dataclass
class ImageUploadReport:
    """What became of the queued images. `waiting` are held by another process, or their fate is not decided yet."""

    uploaded: int = 0
    adopted: int = 0
    failed: int = 0
    refused: int = 0
    waiting: int = 0
    bytes_sent: int = 0


def upload_images(pipeline: Pipeline, *, days: Sequence[date] | None = None) -> ImageUploadReport:
    """Upload the queued images of `days` (all days if None).

    Images whose answer was lost are looked for in the library first and adopted if they are there.

    Raises:
        ServiceRefuses: the service refuses every call (key, credits, permission).
        ServiceUnreachable: no connection can be made.
        BudgetExceeded: the search for a lost image would pass a budget.
    """
    owner, report = LeaseOwner.current(), ImageUploadReport()
    _reconcile(pipeline, report, owner=owner, days=days)
    queued = pipeline.ledger.images.open(days=days)
    pending = [image for image in queued if image.state is UploadState.PENDING]
    report.waiting += len(queued) - len(pending)
    time_box = pipeline.time_box()
    with pipeline.progress.task(f"uploading {len(pending)} images", total=len(pending), unit="images") as task:
        for batch in _batches(pending, at_most=pipeline.settings.api.images_per_upload):
            if time_box.is_over:
                report.waiting += len(batch)
                continue
            _upload(pipeline, batch, report, owner=owner)
            task.advance(len(batch))
    return report


def _batches(pending: Sequence[ImageUpload], *, at_most: int) -> Iterator[tuple[ImageUpload, ...]]:
    ordered = sorted(pending, key=lambda image: (str(_taken_alike(image)), image.upload_name))
    for _, alike in groupby(ordered, key=_taken_alike):
        images = tuple(alike)
        yield from (images[start : start + at_most] for start in range(0, len(images), at_most))


def _taken_alike(image: ImageUpload) -> tuple[object, ...]:
    return image.day, image.captured_at, image.camera_model, image.latitude, image.longitude


def _upload(pipeline: Pipeline, batch: Sequence[ImageUpload], report: ImageUploadReport, *, owner: LeaseOwner) -> None:
    """Send one batch, or its halves if it is refused."""
    images = pipeline.ledger.images
    taken = [image for image in batch if _is_taken(pipeline, image, owner=owner)]
    report.waiting += len(batch) - len(taken)
    with tempfile.TemporaryDirectory(prefix="visualsearch-images-") as folder:
        try:
            staged = [(image, path) for image in taken if (path := _stage(pipeline, image, Path(folder))) is not None]
        except BaseException:
            images.release([image.sha256 for image in taken], state=UploadState.PENDING)
            raise
        report.waiting += len(taken) - len(staged)
        if staged:
            _send(pipeline, staged, report)


def _is_taken(pipeline: Pipeline, image: ImageUpload, *, owner: LeaseOwner) -> bool:
    images = pipeline.ledger.images
    taken = images.take(image.sha256, owner=owner, now=pipeline.now())
    if taken is not None and taken.state is not UploadState.PENDING:
        images.release([image.sha256], state=taken.state)
        return False
    return taken is not None


def _stage(pipeline: Pipeline, image: ImageUpload, folder: Path) -> Path | None:
    """A copy under the upload name of the very bytes that were hashed; None, and the lease given back, without them."""
    images = pipeline.ledger.images
    for item in images.items_with(image.sha256):
        content = _content_of(pipeline, item, sha256=image.sha256)
        if content is not None:
            path = folder / image.upload_name
            path.write_bytes(content)
            return path
    images.release([image.sha256], state=UploadState.PENDING)
    return None


def _content_of(pipeline: Pipeline, item: Item, *, sha256: str) -> bytes | None:
    images = pipeline.ledger.images
    try:
        inspected = media.inspect_image(source_file(item), storage_options=pipeline.storage_options)
    except FileVanished:
        images.record_sightings([], gone=[item.uri], seen_at=pipeline.now())
        return None
    except FileChanged as error:
        images.settle([item.uri], state=ItemState.SETTLING, reason=str(error))
        return None
    except MediaRejected as error:
        passing = error.reason.mended_in_place
        images.record_refused(item.uri, reason=error.message, retryable=passing, at=pipeline.now())
        return None
    if inspected.sha256 != sha256:
        images.settle([item.uri], state=ItemState.SETTLING, reason="its bytes are not those that were hashed")
        return None
    return inspected.content


def _send(pipeline: Pipeline, staged: Sequence[tuple[ImageUpload, Path]], report: ImageUploadReport) -> None:
    """Intent, call, result; the leases are held."""
    images = pipeline.ledger.images
    batch = [image for image, _ in staged]
    hashes = [image.sha256 for image in batch]
    first = batch[0]
    images.record_intent(hashes, at=pipeline.now())
    try:
        stored = pipeline.client.upload_images(
            [path for _, path in staged],
            tags=(*(f"{HASH_TAG_PREFIX}{sha256}" for sha256 in hashes), f"{DAY_TAG_PREFIX}{first.day.isoformat()}"),
            captured_at=first.captured_at,
            camera_model=first.camera_model,
            latitude=first.latitude,
            longitude=first.longitude,
        )
    except (InvalidInput, InvalidRequest) as error:
        if len(staged) == 1:
            _keep_failure(pipeline, batch, error, state=UploadState.REFUSED)
            report.refused += 1
            return
        half = (len(staged) + 1) // 2
        try:
            _send(pipeline, staged[:half], report)
        except BaseException:
            images.release([image.sha256 for image, _ in staged[half:]], state=UploadState.PENDING)
            raise
        _send(pipeline, staged[half:], report)
        return
    except VisualSearchError as error:
        state = UploadState.UNCERTAIN if isinstance(error, OutcomeUnknown) else UploadState.PENDING
        stops = stopping_error(pipeline, error)
        if stops is not None:
            images.release(hashes, state=state)
            raise stops from error
        _keep_failure(pipeline, batch, error, state=state)
        report.failed += len(staged)
        return
    except BaseException:
        # Stopped from outside while bytes were moving: what the service made of them is not known.
        images.release(hashes, state=UploadState.UNCERTAIN)
        raise
    # That ids come in the order of the files is likely and not documented (contract §2.3). A hit whose name carries
    # another hash than its id stands for corrects it: see `image_answers`.
    ids = {sha256: entry.image_id for sha256, entry in zip(hashes, stored, strict=True)}
    images.record_uploaded(ids, adopted=False, at=pipeline.now())
    report.uploaded += len(staged)
    report.bytes_sent += sum(image.size_bytes for image in batch)


def _keep_failure(
    pipeline: Pipeline, batch: Sequence[ImageUpload], error: VisualSearchError, *, state: UploadState
) -> None:
    for image in batch:
        pipeline.ledger.images.record_failed(
            image.sha256,
            state=state,
            reason=str(error),
            retryable=state is not UploadState.REFUSED,
            uri=image.uri,
            at=pipeline.now(),
        )


def _reconcile(
    pipeline: Pipeline, report: ImageUploadReport, *, owner: LeaseOwner, days: Sequence[date] | None
) -> None:
    """Look for images whose answer was lost; adopt what is in the library, queue again what surely is not."""
    images = pipeline.ledger.images
    for candidate in images.open(days=days):
        if candidate.state is UploadState.PENDING or not _waited(pipeline, candidate, _first_look(pipeline)):
            continue
        taken = images.take(candidate.sha256, owner=owner, now=pipeline.now())
        if taken is None:
            continue
        if taken.state is UploadState.PENDING:
            images.release([taken.sha256], state=UploadState.PENDING)
            continue
        try:
            _resolve(pipeline, taken, report)
        except BaseException:
            images.release([taken.sha256], state=UploadState.UNCERTAIN)
            raise


def _resolve(pipeline: Pipeline, lost: ImageUpload, report: ImageUploadReport) -> None:
    images = pipeline.ledger.images
    pipeline.progress.note(f"looking in the image library for {lost.name}, whose answer was lost")
    try:
        found = _search_by_tag(pipeline, lost)
    except VisualSearchError as error:
        stops = stopping_error(pipeline, error)
        if stops is not None:
            raise stops from error
        _keep_failure(pipeline, [lost], error, state=UploadState.UNCERTAIN)
        return
    image = LostImage(lost.sha256, lost.batch_size)
    claimed = images.claimed_image_ids()
    verdict = find_lost_image(image, found, claimed=claimed)
    if isinstance(verdict, ImageHit):
        images.record_uploaded({lost.sha256: verdict.image_id}, adopted=True, at=pipeline.now())
        report.adopted += 1
    elif verdict is ImageVerdict.ABSENT:
        grace = timedelta(seconds=pipeline.settings.indexing.grace_seconds)
        is_over = _waited(pipeline, lost, grace)
        images.release([lost.sha256], state=UploadState.PENDING if is_over else UploadState.UNCERTAIN)
    else:
        images.record_failed(
            lost.sha256,
            state=UploadState.UNCERTAIN,
            reason=(
                f"the answer to its upload was lost, and {len(found)} images carry its tag "
                f"{HASH_TAG_PREFIX}{lost.sha256} under names that do not tell which it is: "
                f"{_shown_ids(hit.image_id for hit in found if hit.image_id not in claimed)}. It is not sent again by "
                f"itself. Decide with `visualsearch images resolve {lost.sha256[:SHORT_HASH]}`: --image-id ID, --again "
                "or --drop; with `api.images_per_upload: 1` such a tag tells"
            ),
            retryable=False,
            uri=lost.uri,
            at=pipeline.now(),
        )


def _shown_ids(image_ids: Iterable[str]) -> str:
    ids = sorted(image_ids)
    more = f" and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else ""
    return ", ".join(ids[:_SHOWN_IDS]) + more


def _search_by_tag(pipeline: Pipeline, lost: ImageUpload) -> tuple[ImageHit, ...]:
    """Everything within the image's hash tag. The words are those of its name, and nothing is filtered out."""
    with pipeline.spending.reserving(f"Looking for {lost.name!r}", cost_usd=pipeline.spending.search_usd):
        return pipeline.client.search_images(
            Path(lost.upload_name).stem.replace("-", " "), top_k=MAX_TOP_K, tag=f"{HASH_TAG_PREFIX}{lost.sha256}"
        )


def _first_look(pipeline: Pipeline) -> timedelta:
    return timedelta(seconds=pipeline.settings.api.lost_answer_wait_seconds)


def _waited(pipeline: Pipeline, lost: ImageUpload, duration: timedelta) -> bool:
    return lost.attempted_at is None or pipeline.now() - lost.attempted_at >= duration
