"""What a person decides about an image whose upload lost its answer and that nothing else can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeAlias

from visualsearch_pipeline.ledger import ImageUpload, UploadState
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.pipeline import Pipeline

ImageDecision: TypeAlias = Literal["again", "drop"]

LEAST_HASH_CHARACTERS: Final = 6
"""Of a SHA-256, to name an image by its beginning."""

_HEXADECIMAL: Final = frozenset("0123456789abcdef")


class UndecidableImage(PipelineError):  # noqa: N818  says what it is, as in `pipeline/errors.py`
    """There is no such undecided image, or the decision does not fit it."""


def adopt_image(pipeline: Pipeline, wanted: str, *, image_id: str) -> ImageUpload:
    """Take an image of the library, found by a person, for an undecided one; it is searched from then on.

    Args:
        pipeline: The run.
        wanted: The image: its file, as listed or as a path, or the beginning of its SHA-256.
        image_id: The library's id, a number (contract §1.6).

    Raises:
        UndecidableImage: no image is undecided under this name or several are, or the id cannot be its own.
    """
    image, image_id = _undecided(pipeline, wanted), image_id.strip()
    if not image_id.isdigit():
        raise UndecidableImage(f"{image_id!r} is no id of an image: those are numbers, such as 1700000000000000001")
    for other in pipeline.ledger.images.uploaded():
        if other.image_id == image_id:
            raise UndecidableImage(f"the image {image_id} of the library is {other.name} already")
    _decide(pipeline, image, state=UploadState.UPLOADED, image_id=image_id)
    return image


def decide_image(pipeline: Pipeline, wanted: str, decision: ImageDecision) -> ImageUpload:
    """Send an undecided image again, though it may then be in the library twice; or leave it.

    Args:
        pipeline: The run.
        wanted: As for `adopt_image`.
        decision: What to do.

    Raises:
        UndecidableImage: no image is undecided under this name, or several are.
    """
    image = _undecided(pipeline, wanted)
    if decision == "again":
        _decide(pipeline, image, state=UploadState.PENDING)
    else:
        _decide(pipeline, image, state=UploadState.REFUSED, reason="left by a person's decision after a lost answer")
    return image


def _undecided(pipeline: Pipeline, wanted: str) -> ImageUpload:
    path = f"file://{Path(wanted).absolute()}"
    is_hash = len(wanted) >= LEAST_HASH_CHARACTERS and set(wanted.lower()) <= _HEXADECIMAL
    undecided = pipeline.ledger.images.undecided()
    named = [image for image in undecided if wanted in (image.uri, image.name) or image.uri == path]
    found = named or [image for image in undecided if is_hash and image.sha256.startswith(wanted.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        raise UndecidableImage(f"{wanted!r} is the beginning of {len(found)} undecided images; write more of the hash")
    raise UndecidableImage(f"no image {wanted!r} is undecided; `visualsearch images list` shows those that are")


def _decide(
    pipeline: Pipeline,
    image: ImageUpload,
    *,
    state: UploadState,
    image_id: str | None = None,
    reason: str | None = None,
) -> None:
    decided = pipeline.ledger.images.decide(image, state=state, image_id=image_id, reason=reason, at=pipeline.now())
    if not decided:
        raise UndecidableImage(f"the image {image.name} has changed meanwhile; look again and decide again")
