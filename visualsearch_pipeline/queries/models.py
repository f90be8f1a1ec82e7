"""Saved queries as the rest of the product sees them: frozen, checked, images opened.

How they are written in a file is the matter of `file_format`; what makes two of them the same question, of `version`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from visualsearch_pipeline.located_yaml import YamlProblem
from visualsearch_pipeline.queries.alerts import Alert
from visualsearch_pipeline.queries.library_models import (
    ImageLibraryQuery,
    PublicImageQuery,
    PublicQuery,
    PublicTextQuery,
    PublicTranscriptQuery,
)
from visualsearch_pipeline.queries.question_parts import Medium, NamedQuery, PrivateTextQuery, QueryImage, ScoredQuery
from visualsearch_pipeline.queries.schedules import QuerySchedule

QueryKind: TypeAlias = Literal[
    "text",
    "image",
    "image_in_video",
    "transcript",
    "text_in_images",
    "public_text",
    "public_image",
    "public_transcript",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextQuery(PrivateTextQuery):
    """A text, searched in the clips, the audio or the captions of the library (contract §2.8).

    Attributes:
        medium: What the text is compared with.
    """

    medium: Medium = "clips"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageQuery(ScoredQuery):
    """An image, compared with the clips of the whole library (contract §2.9).

    Attributes:
        image: The image to compare with.
        similarity: The service's threshold, 0 to 1.
    """

    image: QueryImage
    similarity: float = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class EachVideo:
    """Candidates: every video of the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HitVideos:
    """Candidates: the videos that another query of the same set hit.

    Attributes:
        query_id: The other query.
        query_version: Its version, so that a change of it changes the question that depends on it.
    """

    query_id: str
    query_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVideos:
    """Candidates: these videos. Sorted, each once."""

    video_nos: tuple[str, ...]


Candidates: TypeAlias = EachVideo | HitVideos | ListedVideos


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInVideoQuery(ScoredQuery):
    """An image and a prompt, searched within one video at a time (contract §2.10).

    Attributes:
        image: The image to look for.
        prompt: What about the image matters; never empty.
        within: The videos to look in.
    """

    image: QueryImage
    prompt: str
    within: Candidates = EachVideo()


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptQuery(NamedQuery):
    """A phrase, found literally in what was said, in any letter case (contract §2.11).

    Attributes:
        transcript: The phrase; never empty.
    """

    transcript: str


VideoQuery: TypeAlias = TextQuery | ImageQuery | ImageInVideoQuery | TranscriptQuery
"""What is asked about the private videos, each once."""

SavedQuery: TypeAlias = VideoQuery | ImageLibraryQuery | PublicQuery


@dataclass(frozen=True, slots=True)
class BrokenQuery:
    """A query that cannot be asked although its file is well-formed, such as one whose image is missing."""

    id: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySet:
    """One file of saved queries: one asset, one view in the warehouse.

    Attributes:
        name: The stem of the file name; an identifier in SQL and in Dagster.
        path: The file.
        description: What the set is for.
        owner: An e-mail address or `team:<name>`.
        queries: Those that can be asked, in the order of the file.
        broken: Those that cannot, in the order of the file.
        alerts: Who is told of new hits, by the id of the query; queries without an alert are not among them.
        schedule: When the set is asked; None: as soon as there is something to ask.
    """

    name: str
    path: Path
    queries: tuple[SavedQuery, ...]
    description: str | None = None
    owner: str | None = None
    broken: tuple[BrokenQuery, ...] = ()
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    schedule: QuerySchedule | None = None

    @property
    def video_queries(self) -> tuple[VideoQuery, ...]:
        """Those about private videos."""
        return tuple(query for query in self.queries if isinstance(query, VideoQuery))

    @property
    def image_library_queries(self) -> tuple[ImageLibraryQuery, ...]:
        """Those about private images."""
        return tuple(query for query in self.queries if isinstance(query, ImageLibraryQuery))

    @property
    def public_queries(self) -> tuple[PublicQuery, ...]:
        """Those about the public library."""
        return tuple(query for query in self.queries if isinstance(query, PublicQuery))


@dataclass(frozen=True, slots=True)
class BrokenQuerySet:
    """A file that is not a query set, with everything that is wrong with it. `problems` is never empty."""

    name: str
    path: Path
    problems: tuple[YamlProblem, ...]

    def __str__(self) -> str:
        return "\n".join(f"{self.path}, {problem}" for problem in self.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCatalog:
    """Every query set of a folder, sorted by name.

    Attributes:
        sets: Those that loaded.
        broken: Those that did not; they never stop the others.
        note: Why there is nothing, if there is nothing.
    """

    sets: tuple[QuerySet, ...] = ()
    broken: tuple[BrokenQuerySet, ...] = ()
    note: str | None = None

    @property
    def files(self) -> tuple[QuerySet | BrokenQuerySet, ...]:
        """Every query set, whether it loaded or not, sorted by name."""
        files: list[QuerySet | BrokenQuerySet] = [*self.sets, *self.broken]
        return tuple(sorted(files, key=lambda query_set: query_set.name))


def kind_of(query: SavedQuery) -> QueryKind:
    """The kind of `query`, as the warehouse's table `queries` names it."""
    match query:
        case TextQuery():
            return "text"
        case ImageQuery():
            return "image"
        case ImageInVideoQuery():
            return "image_in_video"
        case TranscriptQuery():
            return "transcript"
        case ImageLibraryQuery():
            return "text_in_images"
        case PublicTextQuery():
            return "public_text"
        case PublicImageQuery():
            return "public_image"
        case PublicTranscriptQuery():
            return "public_transcript"


def top_k_of(query: SavedQuery) -> int | None:
    """How many hits of each day `query` keeps; None for all. Phrases have no score to choose by."""
    return query.top_k if isinstance(query, ScoredQuery) else None


def min_score_of(query: SavedQuery) -> float | None:
    """The score below which `query` keeps no hit; None for any. Phrases have no score."""
    return query.min_score if isinstance(query, ScoredQuery) else None


def asks(query: SavedQuery) -> str:
    """What `query` asks in one line: its text, prompt or phrase, else the name of its image."""
    match query:
        case TextQuery() | ImageLibraryQuery() | PublicTextQuery():
            return query.text
        case ImageQuery() | PublicImageQuery():
            return query.image.path.name
        case ImageInVideoQuery():
            return query.prompt
        case TranscriptQuery() | PublicTranscriptQuery():
            return query.transcript
