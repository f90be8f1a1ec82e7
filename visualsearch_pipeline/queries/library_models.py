"""Saved queries about what is not a private video: the private images, and the vendor's public videos.

The public library changes by itself and cannot be listed, so a query about it is asked once a day as a whole; one about
private images is asked once about each image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from visualsearch_pipeline.queries.question_parts import (
    FilteringLevel,
    NamedQuery,
    PrivateTextQuery,
    QueryImage,
    ScoredQuery,
)

PublicPlatform: TypeAlias = Literal["tiktok", "youtube", "instagram"]
"""Where public videos come from; the service searches one at a time (contract §2.12)."""

PUBLIC_PLATFORMS: Final[tuple[PublicPlatform, ...]] = ("tiktok", "youtube", "instagram")
"""All of them, in the order in which they are asked."""

PublicMedium: TypeAlias = Literal["clips", "audio"]
"""What a text is compared with in public videos; their captions cannot be searched (contract §2.12)."""

PUBLIC_MEDIA: Final[tuple[PublicMedium, ...]] = ("clips", "audio")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLibraryQuery(PrivateTextQuery):
    """A text, searched in the library of private images (contract §2.8, `BY_IMAGE`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTextQuery(ScoredQuery):
    """A text, searched in the public videos of some platforms (contract §2.12).

    Attributes:
        text: What to look for; never empty.
        platforms: Where; a call for each.
        medium: What the text is compared with.
        filtering_level: The service's threshold; None ranks everything.
    """

    text: str
    platforms: tuple[PublicPlatform, ...]
    medium: PublicMedium = "clips"
    filtering_level: FilteringLevel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicImageQuery(ScoredQuery):
    """An image, compared with the public videos of some platforms (contract §2.13).

    Attributes:
        image: The image to compare with.
        platforms: Where; a call for each.
        similarity: The service's threshold, 0 to 1.
    """

    image: QueryImage
    platforms: tuple[PublicPlatform, ...]
    similarity: float = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTranscriptQuery(NamedQuery):
    """A phrase, found literally in what is said in public videos of every platform (contract §2.14).

    Attributes:
        transcript: The phrase; never empty.
    """

    transcript: str


PublicQuery: TypeAlias = PublicTextQuery | PublicImageQuery | PublicTranscriptQuery
