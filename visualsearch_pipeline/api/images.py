"""The library of private images: filling it, and finding images by text (contract §2.3, §2.8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from visualsearch_pipeline.api import limits
from visualsearch_pipeline.api.errors import BadResponse
from visualsearch_pipeline.api.models import FilteringLevel
from visualsearch_pipeline.api.operations import SEARCH, UPLOAD_IMAGES
from visualsearch_pipeline.api.outcomes import effect_once
from visualsearch_pipeline.api.parsing import member, parse_items
from visualsearch_pipeline.api.scopes import Scope
from visualsearch_pipeline.api.search import check_search, image_parts, search_fields
from visualsearch_pipeline.api.transport import Call, Scalar, Transport
from visualsearch_pipeline.api.upload_validation import validate_capture, validate_tags
from visualsearch_pipeline.api.wire import (
    Identifier,
    Json,
    OptionalInstant,
    OptionalNumber,
    OptionalText,
    to_service_time,
)


class UploadedImage(BaseModel):
    """An image's new entry; `image_id` is a 64-bit number kept as text, so that no digit is lost."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    image_id: Identifier = Field(validation_alias=AliasChoices("id", "imageNo", "image_id"))


class ImageHit(BaseModel):
    """An image that matches a text.

    Attributes:
        image_id: A 64-bit number kept as text.
        name: As stored.
        image_url: A signed link, which expires.
        captured_at: When it was taken, as given at upload. UTC.
        score: Higher is better; None where the service leaves it out.
        bucket: With `blob`, the storage location for `download_blob`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    image_id: Identifier = Field(validation_alias=AliasChoices("id", "image_id"))
    name: OptionalText = None
    image_url: OptionalText = Field(None, validation_alias=AliasChoices("img_url", "image_url"))
    captured_at: OptionalInstant = Field(None, validation_alias=AliasChoices("datetime_taken", "captured_at"))
    camera_model: OptionalText = None
    latitude: OptionalNumber = None
    longitude: OptionalNumber = None
    score: OptionalNumber = None
    bucket: OptionalText = None
    blob: OptionalText = None


class ImageCalls:
    """The part of the client that deals with private images."""

    _transport: Transport
    _scope: Scope

    def upload_images(
        self,
        images: Sequence[Path],
        *,
        tags: Sequence[str] = (),
        captured_at: datetime | None = None,
        camera_model: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
    ) -> tuple[UploadedImage, ...]:
        """Upload images in one request; everything given holds for all of them. One bad file rejects them all.

        Args:
            images: Files of at most 20 MB each; jpg, jpeg, png, gif, bmp or webp. How many at once is the server's own
                setting, which its refusal names.
            tags: At most 50.
            captured_at: When they were taken; aware.
            camera_model: What took them; at most 200 characters.
            latitude: Where, in degrees; together with `longitude`.
            longitude: Where, in degrees.

        Returns:
            The new entries, one per image. That they come in the order of the images is likely but not documented.

        Raises:
            InvalidInput: The service would refuse it; nothing was sent.
            ApiError: The service refused.
            ConnectionFailed: No connection.
            OutcomeUnknown: They may have been stored.
        """
        if not images:
            return ()
        validate_tags(tags, at_most=limits.MAX_IMAGE_TAGS)
        validate_capture(camera_model=camera_model, latitude=latitude, longitude=longitude)
        fields: dict[str, Scalar | Sequence[str] | None] = {
            **self._scope.fields_for_video(),
            "datetime_taken": to_service_time(captured_at) if captured_at is not None else None,
            "camera_model": camera_model,
            "latitude": latitude,
            "longitude": longitude,
            "tags": list(tags) or None,
        }
        item = images[0].name if len(images) == 1 else f"{images[0].name} and {len(images) - 1} more"
        call = Call(
            UPLOAD_IMAGES,
            item=item,
            form={name: value for name, value in fields.items() if value is not None},
            open_parts=image_parts(*images, field_name="files"),
        )
        with effect_once(UPLOAD_IMAGES, item=item):
            data = self._transport.request(call)
            stored = parse_items(UploadedImage, data, operation=UPLOAD_IMAGES.name, item=item)
            if len(stored) != len(images):
                message = f"{UPLOAD_IMAGES.name}: {len(images)} images were sent, {len(stored)} ids came back."
                raise BadResponse(message, operation=UPLOAD_IMAGES.name, item=item)
            return stored

    def search_images(
        self,
        text: str,
        *,
        top_k: int,
        filtering_level: FilteringLevel | None = None,
        tag: str | None = None,
        camera_model: str | None = None,
        taken_after: datetime | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
    ) -> tuple[ImageHit, ...]:
        """Find private images by a text. Arguments and errors as for `search`; there are no pages (contract §7)."""
        check_search(text, top_k=top_k, at_most=limits.MAX_TOP_K)
        fields = search_fields(
            self._scope,
            text,
            search_type="BY_IMAGE",
            top_k=top_k,
            filtering_level=filtering_level,
            tag=tag,
            camera_model=camera_model,
            taken_after=taken_after,
            latitude=latitude,
            longitude=longitude,
        )
        body: Json = {name: value for name, value in fields.items() if value is not None}
        data = self._transport.request(Call(SEARCH, item=text, json=body))
        # Nothing found may come as an empty array in place of the page (contract §2.8, §9.40).
        found = None if data == [] else member(data, "item", "items", operation=SEARCH.name, item=text)
        return parse_items(ImageHit, found, operation=SEARCH.name, item=text)
