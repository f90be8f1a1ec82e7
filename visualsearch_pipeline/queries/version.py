"""What a saved query asks, in one canonical form, and the version that follows from it.

Two queries with the same version are the same question: the service need not be asked again. What people write around
the question (id, description, tags, comments, the order of keys, a default spelled out, where the image lies) is not
part of it; a word, a threshold or a byte of the image is.

`min_score` and `top_k` are part of the question although the service never sees them: hits beyond them are not stored,
so that a laxer one could not be served from what is stored. Questions that differ in nothing else are one request, and
a run that has to ask them all asks it once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC
from typing import Final

from visualsearch_pipeline.queries.library_models import (
    ImageLibraryQuery,
    PublicImageQuery,
    PublicTextQuery,
    PublicTranscriptQuery,
)
from visualsearch_pipeline.queries.models import (
    EachVideo,
    HitVideos,
    ImageInVideoQuery,
    ImageQuery,
    ListedVideos,
    SavedQuery,
    TextQuery,
    TranscriptQuery,
    VideoQuery,
    kind_of,
)
from visualsearch_pipeline.queries.question_parts import PrivateTextQuery

_KEPT_FROM_THE_SERVICE: Final = frozenset({"min_score", "top_k", "within"})
"""Parts of a question that no request carries: which hits are kept, and which videos are asked about."""

VERSION_LENGTH = 16
"""Hexadecimal digits of a version: 64 bits, far more than a team's questions need to stay apart."""


def query_version(query: SavedQuery) -> str:
    """The version of `query`: the first 16 hexadecimal digits of the SHA-256 of `query_definition`."""
    return hashlib.sha256(query_definition(query).encode()).hexdigest()[:VERSION_LENGTH]


def query_definition(query: SavedQuery) -> str:
    """What `query` asks, as canonical JSON: sorted keys, no blanks, nothing that was left out.

    A part that is absent leaves no trace, so that a later kind of filter does not change the versions of the queries
    that do not use it.
    """
    return _canonical({"kind": kind_of(query), **_asked(query)})


def request_definition(query: VideoQuery) -> str:
    """What the service is sent for `query` about any one reach, as canonical JSON.

    Queries for which it is the same can share a call: each keeps of the answer what its own limits let through.
    """
    asked = {"kind": kind_of(query), **_asked(query)}
    return _canonical({key: value for key, value in asked.items() if key not in _KEPT_FROM_THE_SERVICE})


def _canonical(asked: Mapping[str, object]) -> str:
    return json.dumps(
        {key: value for key, value in asked.items() if value is not None},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def _asked(query: SavedQuery) -> dict[str, object]:
    match query:
        case TextQuery():
            return {
                "text": query.text,
                "in": query.medium,
                "filtering_level": query.filtering_level,
                "min_score": query.min_score,
                "top_k": query.top_k,
                **_taken(query),
            }
        case ImageQuery():
            return {
                "image_sha256": query.image.sha256,
                "similarity": query.similarity,
                "min_score": query.min_score,
                "top_k": query.top_k,
            }
        case ImageInVideoQuery():
            return {
                "image_sha256": query.image.sha256,
                "prompt": query.prompt,
                "within": _within(query),
                "min_score": query.min_score,
                "top_k": query.top_k,
            }
        case TranscriptQuery() | PublicTranscriptQuery():
            return {"transcript": query.transcript}
        case ImageLibraryQuery():
            return {
                "text": query.text,
                "filtering_level": query.filtering_level,
                "min_score": query.min_score,
                "top_k": query.top_k,
                **_taken(query),
            }
        case PublicTextQuery():
            return {
                "text": query.text,
                "in": query.medium,
                "platforms": list(query.platforms),
                "filtering_level": query.filtering_level,
                "min_score": query.min_score,
                "top_k": query.top_k,
            }
        case PublicImageQuery():
            return {
                "image_sha256": query.image.sha256,
                "platforms": list(query.platforms),
                "similarity": query.similarity,
                "min_score": query.min_score,
                "top_k": query.top_k,
            }


def _taken(query: PrivateTextQuery) -> dict[str, object]:
    return {
        "tag": query.tag,
        "camera": query.camera,
        "taken_after": query.taken_after and query.taken_after.astimezone(UTC).isoformat(),
        "near": query.near and [query.near.latitude, query.near.longitude],
    }


def _within(query: ImageInVideoQuery) -> object:
    match query.within:
        case EachVideo():
            return "day"
        case HitVideos(query_version=version):
            # By version, not by id: renaming the other query changes nothing, changing it changes the candidates.
            return {"query_version": version}
        case ListedVideos(video_nos=video_nos):
            return list(video_nos)
