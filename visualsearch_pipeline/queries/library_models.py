"""Saved queries about what is not a private video: the private images, and the vendor's public videos.

The public library changes by itself and cannot be listed, so a query about it is asked once a day as a whole; one about
private images is asked once about each image.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from visualsearch_pipeline.queries.question_parts import FilteringLevel, Place, QueryImage

PublicPlatform: TypeAlias = Literal["tiktok", "youtube", "instagram"]
"""Where public videos come from; the service searches one at a time (contract §2.12)."""

PUBLIC_PLATFORMS: Final[tuple[PublicPlatform, ...]] = ("tiktok", "youtube", "instagram")
"""All of them, in the order in which they are asked."""

PublicMedium: TypeAlias = Literal["clips", "audio"]
"""What a text is compared with in public videos; their captions cannot be searched (contract §2.12)."""

PUBLIC_MEDIA: Final[tuple[PublicMedium, ...]] = ("clips", "audio")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLibraryQuery:
    """A text, searched in the library of private images (contract §2.8, `BY_IMAGE`).

    Attributes:
        id: Unique in its set.
        text: What to look for; never empty.
        filtering_level: The service's threshold; None ranks everything.
        min_score: Hits below it are dropped by us, 0 to 1.
        top_k: Of each day only so many images are kept, the best; None keeps all.
        tag: Only images with this tag.
        camera: Only images of this camera model.
        taken_after: Only images taken at or after this time, UTC, whole seconds.
        near: Only images taken near this place.
        description: For people; not part of the question.
        tags: For people; not part of the question.
    """

    id: str
    text: str
    filtering_level: FilteringLevel | None = None
    min_score: float | None = None
    top_k: int | None = None
    tag: str | None = None
    camera: str | None = None
    taken_after: datetime | None = None
    near: Place | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTextQuery:
    """A text, searched in the public videos of some platforms (contract §2.12).

    Attributes:
        id: Unique in its set.
        text: What to look for; never empty.
        platforms: Where; a call for each.
        medium: What the text is compared with.
        filtering_level: The service's threshold; None ranks everything.
        min_score: Hits below it are dropped by us, 0 to 1.
        top_k: Of each day of asking only so many hits are kept, the best; None keeps all.
        description: For people; not part of the question.
        tags: For people; not part of the question.
    """

    id: str
    text: str
    platforms: tuple[PublicPlatform, ...]
    medium: PublicMedium = "clips"
    filtering_level: FilteringLevel | None = None
    min_score: float | None = None
    top_k: int | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicImageQuery:
    """An image, compared with the public videos of some platforms (contract §2.13).

    Attributes:
        id: Unique in its set.
        image: The image to compare with.
        platforms: Where; a call for each.
        similarity: The service's threshold, 0 to 1.
        min_score: Hits below it are dropped by us, 0 to 1.
        top_k: Of each day of asking only so many hits are kept, the best; None keeps all.
        description: For people; not part of the question.
        tags: For people; not part of the question.
    """

    id: str
    image: QueryImage
    platforms: tuple[PublicPlatform, ...]
    similarity: float = 0.85
    min_score: float | None = None
    top_k: int | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTranscriptQuery:
    """A phrase, found literally in what is said in public videos of every platform (contract §2.14).

    Attributes:
        id: Unique in its set.
        transcript: The phrase; never empty.
        description: For people; not part of the question.
        tags: For people; not part of the question.
    """

    id: str
    transcript: str
    description: str | None = None
    tags: tuple[str, ...] = ()


PublicQuery: TypeAlias = PublicTextQuery | PublicImageQuery | PublicTranscriptQuery
