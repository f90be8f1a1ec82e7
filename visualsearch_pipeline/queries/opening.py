"""From the entries of a checked file to queries that can be asked: images opened, references resolved."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Literal, TypedDict

from visualsearch_pipeline.located_yaml import YamlDocument, YamlProblem, nearest_word
from visualsearch_pipeline.queries.entry_values import HitVideosEntry, PlaceEntry
from visualsearch_pipeline.queries.file_format import (
    AnyQueryEntry,
    ImageEntry,
    ImageInVideoEntry,
    PublicImageEntry,
    PublicTextEntry,
    PublicTranscriptEntry,
    QueryEntry,
    TextEntry,
    TranscriptEntry,
)
from visualsearch_pipeline.queries.images import UnusableImageError, open_query_image
from visualsearch_pipeline.queries.library_models import (
    PUBLIC_PLATFORMS,
    ImageLibraryQuery,
    PublicImageQuery,
    PublicPlatform,
    PublicTextQuery,
    PublicTranscriptQuery,
)
from visualsearch_pipeline.queries.models import (
    BrokenQuery,
    Candidates,
    EachVideo,
    HitVideos,
    ImageInVideoQuery,
    ImageQuery,
    ListedVideos,
    SavedQuery,
    TextQuery,
    TranscriptQuery,
)
from visualsearch_pipeline.queries.preparing import PreparedFile
from visualsearch_pipeline.queries.question_parts import FilteringLevel, Place, QueryImage
from visualsearch_pipeline.queries.version import query_version


class _UnusableQueryError(Exception):
    """One query of a well-formed file cannot be asked."""


class _Named(TypedDict):
    """The fields of a `NamedQuery`, checked by name and type where they are passed on."""

    id: str
    description: str | None
    tags: tuple[str, ...]


class _Scored(_Named):
    """Those of a `ScoredQuery`."""

    min_score: float | None
    top_k: int | None


class _Asked(TypedDict):
    """Those that a `PrivateTextQuery` has besides."""

    text: str
    filtering_level: FilteringLevel | None
    tag: str | None
    camera: str | None
    taken_after: datetime | None
    near: Place | None


def repeated_ids(prepared: PreparedFile) -> Iterator[YamlProblem]:
    """Ids that stand in the file, or come out of its templates, a second time."""
    first: dict[str, int] = {}
    for index, entry in enumerate(prepared.file.queries):
        if entry.id in first:
            message = f"`{entry.id}` is taken (line {first[entry.id]}); an id is used once"
            yield prepared.problem(index, "id", message=message)
        first.setdefault(entry.id, prepared.line_of(index, "id"))


def wrong_references(prepared: PreparedFile) -> Iterator[YamlProblem]:
    """A query looks within the hits of another that does not itself depend on one: no chain, hence no circle."""
    entries = {entry.id: entry for entry in prepared.file.queries}
    for index, entry in enumerate(prepared.file.queries):
        if not (isinstance(entry, ImageInVideoEntry) and isinstance(entry.within, HitVideosEntry)):
            continue
        wanted = entry.within.query
        if wanted == entry.id:
            message = "names the query itself; name another query of this file"
        elif wanted not in entries:
            nearest = nearest_word(wanted, tuple(entries))
            message = f"this file has no query `{wanted}`; {nearest or 'it has: ' + ', '.join(sorted(entries))}"
        elif isinstance(entries[wanted], ImageInVideoEntry):
            message = f"`{wanted}` looks within videos itself; name a query with text, transcript or image alone"
        elif not _hits_private_videos(entries[wanted]):
            message = f"`{wanted}` finds no private videos; name a query about clips, audio, captions or a transcript"
        else:
            continue
        yield prepared.problem(index, "within", "query", message=message)


def _hits_private_videos(entry: AnyQueryEntry) -> bool:
    if isinstance(entry, TextEntry):
        return entry.medium != "images"
    return isinstance(entry, ImageEntry | TranscriptEntry)


def unusable_images(document: YamlDocument) -> Iterator[YamlProblem]:
    """The images of a file that cannot be sent, whatever else is wrong with it: all is mended in one go.

    Names with placeholders are left out: what they stand for is known once the rest is right.
    """
    written = document.value.get("queries") if isinstance(document.value, dict) else None
    for index, entry in enumerate(written if isinstance(written, list) else ()):
        name = entry.get("image") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name.strip() or "{" in name:
            continue
        try:
            open_query_image(document.path.parent / name.strip())
        except UnusableImageError as error:
            yield document.problem(("queries", index, "image"), str(error))


def open_queries(prepared: PreparedFile) -> tuple[tuple[SavedQuery, ...], tuple[BrokenQuery, ...]]:
    """The queries of a file in its order, and those that cannot be asked."""
    entries = prepared.file.queries
    folder = prepared.document.path.parent
    # The queries of a template often share their image: it is decoded once.
    open_image = functools.cache(lambda name: open_query_image(folder / name))
    queries: dict[str, SavedQuery] = {}
    broken: dict[int, BrokenQuery] = {}
    # Those that others may refer to come first.
    for index, entry in sorted(enumerate(entries), key=lambda item: isinstance(item[1], ImageInVideoEntry)):
        try:
            queries[entry.id] = _open_query(entry, open_image, queries)
        except (UnusableImageError, _UnusableQueryError) as error:
            broken[index] = BrokenQuery(entry.id, prepared.line_of(index, "image"), str(error))
    return (
        tuple(queries[entry.id] for entry in entries if entry.id in queries),
        tuple(broken[index] for index in sorted(broken)),
    )


def _open_query(
    entry: AnyQueryEntry, open_image: Callable[[str], QueryImage], others: Mapping[str, SavedQuery]
) -> SavedQuery:
    match entry:
        case TextEntry():
            return _text_query(entry)
        case ImageEntry():
            return ImageQuery(image=open_image(entry.image), similarity=entry.similarity, **_scored(entry))
        case ImageInVideoEntry():
            return ImageInVideoQuery(
                image=open_image(entry.image), prompt=entry.prompt, within=_candidates(entry, others), **_scored(entry)
            )
        case TranscriptEntry():
            return TranscriptQuery(transcript=entry.transcript, **_named(entry))
        case PublicTextEntry():
            return PublicTextQuery(
                text=entry.text,
                platforms=_platforms(entry.public),
                medium=entry.medium,
                filtering_level=entry.filtering_level,
                **_scored(entry),
            )
        case PublicImageEntry():
            return PublicImageQuery(
                image=open_image(entry.image),
                platforms=_platforms(entry.public),
                similarity=entry.similarity,
                **_scored(entry),
            )
        case PublicTranscriptEntry():
            return PublicTranscriptQuery(transcript=entry.transcript, **_named(entry))


def _text_query(entry: TextEntry) -> TextQuery | ImageLibraryQuery:
    asked = _Asked(
        text=entry.text,
        filtering_level=entry.filtering_level,
        tag=entry.tag,
        camera=entry.camera,
        taken_after=entry.taken_after,
        near=_place(entry.near),
    )
    if entry.medium == "images":
        return ImageLibraryQuery(**asked, **_scored(entry))
    return TextQuery(medium=entry.medium, **asked, **_scored(entry))


def _named(entry: QueryEntry) -> _Named:
    return _Named(id=entry.id, description=entry.description, tags=entry.tags)


def _scored(entry: TextEntry | ImageEntry | ImageInVideoEntry | PublicTextEntry | PublicImageEntry) -> _Scored:
    return _Scored(min_score=entry.min_score, top_k=entry.top_k, **_named(entry))


def _place(entry: PlaceEntry | None) -> Place | None:
    return Place(latitude=entry.latitude, longitude=entry.longitude) if entry else None


def _platforms(public: PublicPlatform | Literal["all"]) -> tuple[PublicPlatform, ...]:
    return PUBLIC_PLATFORMS if public == "all" else (public,)


def _candidates(entry: ImageInVideoEntry, others: Mapping[str, SavedQuery]) -> Candidates:
    match entry.within:
        case HitVideosEntry(query=query_id):
            if query_id not in others:
                raise _UnusableQueryError(f"it looks within the hits of `{query_id}`, which cannot be asked itself")
            return HitVideos(query_id=query_id, query_version=query_version(others[query_id]))
        case tuple() as video_nos:
            return ListedVideos(video_nos=tuple(sorted(set(video_nos))))
        case _:
            return EachVideo()
