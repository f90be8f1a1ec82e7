"""Finding image uploads whose answer was lost, in what a search says. Pure: no calls, no state.

The image library cannot be listed (contract §8), but it can be searched within a tag, and each image is sent with the
tags `sha256:<hex>` of all images of its request and a name that carries its own hash. Hence the evidence, strongest
first: our hash in the name; or, where the service gives names of its own, to be the only image that a tag reaches which
one image alone was sent with. An image that just came may not be found yet, so that "not there" takes time to mean it.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import Enum, auto

from visualsearch_pipeline.api import ImageHit
from visualsearch_pipeline.pipeline.upload_marks import hash_mark, mark_in_name


@dataclass(frozen=True)
class LostImage:
    """An image that may have been accepted; `batch_size` is how many were sent with it, itself included."""

    sha256: str
    batch_size: int


class ImageVerdict(Enum):
    """What a search within an image's tag says of it when it was not found."""

    UNDECIDED = auto()
    """Something is there that may be it and cannot be told apart: a person has to look."""
    ABSENT = auto()
    """Nothing that could be it is found."""


def find_lost_image(lost: LostImage, found: Sequence[ImageHit], *, claimed: Set[str]) -> ImageHit | ImageVerdict:
    """The entry that a lost image is, or why there is none.

    Args:
        lost: The image.
        found: Everything that a search within its hash tag returned.
        claimed: Ids that images of ours are bound to already.
    """
    unclaimed = sorted((hit for hit in found if hit.image_id not in claimed), key=lambda hit: _age(hit.image_id))
    own_mark = hash_mark(lost.sha256)
    # Of two entries with the same content, the first is kept.
    for hit in unclaimed:
        if mark_in_name(hit.name) == own_mark:
            return hit
    nameless = [hit for hit in unclaimed if mark_in_name(hit.name) is None]
    if not nameless:
        return ImageVerdict.ABSENT
    return nameless[0] if len(nameless) == 1 and lost.batch_size == 1 else ImageVerdict.UNDECIDED


def _age(image_id: str) -> tuple[int, str]:
    # Ids are numbers that grow (contract §1.6); one that is none comes last.
    return (int(image_id), "") if image_id.isdigit() else (2**64, image_id)
