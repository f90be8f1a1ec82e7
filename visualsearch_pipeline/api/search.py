"""Searching the library by text and by image (contract §2.8-2.10, §9.40-9.47)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from visualsearch_pipeline.api import limits
from visualsearch_pipeline.api.errors import InvalidInput
from visualsearch_pipeline.api.library import checked_video_no
from visualsearch_pipeline.api.models import ClipHit, FilteringLevel, SearchKind
from visualsearch_pipeline.api.operations import SEARCH, SEARCH_CLIPS_BY_IMAGE, SEARCH_SIMILAR_IMAGES
from visualsearch_pipeline.api.parsing import parse_items
from visualsearch_pipeline.api.scopes import Scope
from visualsearch_pipeline.api.transport import Call, OpenParts, Part, Transport
from visualsearch_pipeline.api.upload_validation import media_type, validate_capture
from visualsearch_pipeline.api.wire import Json, to_service_time

SEARCH_TYPES: Final = {
    SearchKind.CLIPS: "BY_CLIP",
    SearchKind.AUDIO: "BY_AUDIO",
    SearchKind.CAPTIONS: "BY_CAPTION",
}


class SearchCalls:
    """The part of the client that searches."""

    _transport: Transport
    _scope: Scope

    def search(
        self,
        text: str,
        *,
        kind: SearchKind = SearchKind.CLIPS,
        top_k: int,
        filtering_level: FilteringLevel | None = None,
        video_nos: Sequence[str] | None = None,
        tag: str | None = None,
        camera_model: str | None = None,
        taken_after: datetime | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
    ) -> tuple[ClipHit, ...]:
        """Find moments by a text. Each successful call is charged.

        Fewer hits than `top_k` are all there are; exactly `top_k` may have been cut. Videos that are not indexed yet
        are passed over silently (contract §6.6).

        Args:
            text: What to look for; English works best.
            kind: Where: in the picture, in speech, or in captions.
            top_k: Most hits, 1-1000; for captions 1-200.
            filtering_level: How sure the service must be; None for no limit.
            video_nos: Only in these. More than 100 take several calls; their hits are merged by score, cut to `top_k`.
            tag: Only in videos with this tag.
            camera_model: Only in videos of this camera.
            taken_after: Only in videos filmed at this time or later; aware.
            latitude: With `longitude`: only in videos filmed within about 20 km.
            longitude: See `latitude`.

        Returns:
            The hits in the service's order, which is by score from the highest.

        Raises:
            InvalidInput: An argument that the service would refuse.
            ApiError: The service refused; a missing route is one, not an empty result.
            TransportError: No usable answer came.
        """
        most = limits.MAX_CAPTION_TOP_K if kind is SearchKind.CAPTIONS else limits.MAX_TOP_K
        check_search(text, top_k=top_k, at_most=most)
        fields = search_fields(
            self._scope,
            text,
            search_type=SEARCH_TYPES[kind],
            top_k=top_k,
            filtering_level=filtering_level,
            tag=tag,
            camera_model=camera_model,
            taken_after=taken_after,
            latitude=latitude,
            longitude=longitude,
        )
        if video_nos is None:
            return self._search_once(text, fields)
        unique = list(dict.fromkeys(checked_video_no(video_no) for video_no in video_nos))
        parts = [
            self._search_once(text, {**fields, "video_nos": [*unique[start : start + limits.MAX_SEARCH_VIDEO_NOS]]})
            for start in range(0, len(unique), limits.MAX_SEARCH_VIDEO_NOS)
        ]
        return parts[0] if len(parts) == 1 else merge_by_score(parts, top_k=top_k)

    def search_similar_images(self, image: Path, *, similarity: float = 0.85) -> tuple[ClipHit, ...]:
        """Find moments that look like an image. Not every generation of the service offers it (contract §2.9).

        Args:
            image: A file of at most 20 MB; jpg, jpeg, png, gif, bmp or webp.
            similarity: Least likeness, 0-1.

        Raises:
            InvalidInput: The image or the similarity would be refused.
            EndpointUnavailable: The service does not offer it.
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        check_similarity(similarity)
        data = self._transport.request(
            Call(
                SEARCH_SIMILAR_IMAGES,
                item=image.name,
                form={**self._scope.fields_for_video(), "similarity": similarity},
                open_parts=image_parts(image),
            )
        )
        return parse_items(ClipHit, data, operation=SEARCH_SIMILAR_IMAGES.name, item=image.name)

    def search_clips_by_image(self, image: Path, *, video_no: str, prompt: str) -> tuple[ClipHit, ...]:
        """Find what an image shows within one video.

        Args:
            image: As for `search_similar_images`.
            video_no: The video.
            prompt: What of the image matters; not empty.

        Raises:
            InvalidInput: An argument that the service would refuse.
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        if not prompt.strip():
            raise InvalidInput("search_clips_by_image needs a prompt that says what of the image matters.")
        data = self._transport.request(
            Call(
                SEARCH_CLIPS_BY_IMAGE,
                item=f"{prompt} in {video_no}",
                form={**self._scope.fields_for_video(), "video_no": checked_video_no(video_no), "prompt": prompt},
                open_parts=image_parts(image),
            )
        )
        return parse_items(
            ClipHit, data, operation=SEARCH_CLIPS_BY_IMAGE.name, item=video_no, defaults={"video_no": video_no}
        )

    def _search_once(self, text: str, fields: dict[str, Json]) -> tuple[ClipHit, ...]:
        body: Json = {name: value for name, value in fields.items() if value is not None}
        data = self._transport.request(Call(SEARCH, item=text, json=body))
        return parse_items(ClipHit, data, operation=SEARCH.name, item=text)


def merge_by_score(parts: Sequence[Sequence[ClipHit]], *, top_k: int) -> tuple[ClipHit, ...]:
    """Merge hits of several calls, highest score first; hits without a score come last, in their order."""
    hits = [hit for part in parts for hit in part]
    hits.sort(key=lambda hit: -math.inf if hit.score is None else hit.score, reverse=True)
    return tuple(hits[:top_k])


def check_similarity(similarity: float) -> None:
    """Check a likeness.

    Raises:
        InvalidInput: It is not within 0-1.
    """
    if not 0 <= similarity <= 1:
        raise InvalidInput(f"similarity must be within 0 to 1, not {similarity}.")


def image_parts(*images: Path, field_name: str = "file") -> OpenParts:
    """Return an opener for images as parts of a multipart request.

    Raises:
        InvalidInput: One of them would be refused: extension, size, empty, not readable.
    """
    types = [_check_image(image) for image in images]

    @contextmanager
    def open_parts() -> Iterator[Sequence[tuple[str, Part]]]:
        opened: list[tuple[str, Part]] = []
        try:
            for image, content_type in zip(images, types, strict=True):
                opened.append((field_name, (image.name, image.open("rb"), content_type)))
            yield opened
        finally:
            for _, (_, file, _) in opened:
                file.close()

    return open_parts


def _check_image(image: Path) -> str:
    content_type = media_type(image.name, accepted=limits.IMAGE_MEDIA_TYPES)
    try:
        size_bytes = image.stat().st_size
        with image.open("rb") as file:
            readable = bool(file.read(1))
    except OSError as error:
        raise InvalidInput(f"The image {image.name!r} cannot be read: {error.strerror or error}.") from error
    if not readable:
        raise InvalidInput(f"The image {image.name!r} is empty.")
    if size_bytes > limits.MAX_IMAGE_BYTES:
        message = (
            f"The image {image.name!r} has {size_bytes} bytes; the service accepts at most {limits.MAX_IMAGE_BYTES}."
        )
        raise InvalidInput(message)
    return content_type


def search_fields(
    scope: Scope,
    text: str,
    *,
    search_type: str,
    top_k: int,
    filtering_level: FilteringLevel | None,
    tag: str | None,
    camera_model: str | None,
    taken_after: datetime | None,
    latitude: float | None,
    longitude: float | None,
) -> dict[str, Json]:
    """What a search of the account's own library sends (contract §2.8); None stands for what is left out.

    Raises:
        InvalidInput: The service would refuse a filter.
    """
    validate_capture(camera_model=camera_model, latitude=latitude, longitude=longitude)
    return {
        **scope.fields_for_library(),
        "search_param": text,
        "search_type": search_type,
        "top_k": top_k,
        "filtering_level": filtering_level.value if filtering_level is not None else None,
        "tag": tag,
        "camera_tag": camera_model,
        "datetime_taken": to_service_time(taken_after) if taken_after is not None else None,
        "latitude": latitude,
        "longitude": longitude,
    }


def check_search(text: str, *, top_k: int, at_most: int) -> None:
    """Check a text and the number of hits asked for.

    Raises:
        InvalidInput: The text is empty, or `top_k` is not within 1 and `at_most`.
    """
    if not text.strip():
        raise InvalidInput("A search needs a text that is not empty.")
    if not 1 <= top_k <= at_most:
        raise InvalidInput(f"top_k must be within 1 to {at_most} here, not {top_k}.")
