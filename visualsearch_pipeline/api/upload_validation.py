"""What the service would refuse in an upload, found before a byte is sent (contract §2.1, §9.15)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from visualsearch_pipeline.api import limits
from visualsearch_pipeline.api.errors import InvalidInput
from visualsearch_pipeline.api.wire import to_service_time


def validate_upload(
    upload_name: str,
    *,
    size_bytes: int,
    tags: Sequence[str] = (),
    captured_at: datetime | None = None,
    camera_model: str | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
    callback: str | None = None,
) -> None:
    """Check an upload against everything that is known to be refused.

    Args:
        upload_name: File name that will be sent; its extension tells the container.
        size_bytes: Size of the file.
        tags: Tags to give it.
        captured_at: When it was filmed; aware.
        camera_model: What filmed it.
        latitude: Where, in degrees; only together with `longitude`.
        longitude: Where, in degrees.
        callback: URL for the service's notices.

    Raises:
        InvalidInput: With the reason.
    """
    media_type(upload_name)
    if size_bytes <= 0:
        raise InvalidInput(f"{upload_name!r} is empty: the service accepts no empty file.")
    if size_bytes > limits.MAX_UPLOAD_BYTES:
        message = (
            f"{upload_name!r} has {size_bytes} bytes; the service accepts at most {limits.MAX_UPLOAD_BYTES} (3 GB)."
        )
        raise InvalidInput(message)
    validate_tags(tags, at_most=limits.MAX_VIDEO_TAGS)
    validate_callback(callback)
    validate_capture(camera_model=camera_model, latitude=latitude, longitude=longitude)
    if captured_at is not None:
        to_service_time(captured_at)


def media_type(file_name: str, *, accepted: Mapping[str, str] = limits.UPLOAD_MEDIA_TYPES) -> str:
    """Return the Content-Type of a file by its name.

    Raises:
        InvalidInput: The extension is none that the service accepts, or the name cannot be sent.
    """
    try:
        file_name.encode()
    except UnicodeEncodeError:
        message = f"The file name {file_name!r} is not valid Unicode: give another upload name."
        raise InvalidInput(message) from None
    extension = PurePosixPath(file_name).suffix.lower()
    if extension not in accepted:
        message = (
            f"{file_name!r} has the extension {extension!r}; the service accepts {', '.join(sorted(accepted))}. "
            "Convert the file, or leave it out."
        )
        raise InvalidInput(message)
    return accepted[extension]


def validate_tags(tags: Sequence[str], *, at_most: int) -> None:
    """Check the number of tags, and that none is empty.

    Raises:
        InvalidInput: Too many, or an empty one.
    """
    if isinstance(tags, str):
        raise InvalidInput(f"tags must be a list of texts, not the single text {tags!r}.")
    if len(tags) > at_most:
        raise InvalidInput(f"{len(tags)} tags were given; the service accepts at most {at_most}.")
    if any(not tag.strip() for tag in tags):
        raise InvalidInput("One of the tags is empty; leave it out.")


def validate_callback(callback: str | None) -> None:
    """Check the length of a callback's URL.

    Raises:
        InvalidInput: It is too long.
    """
    if callback is not None and len(callback) > limits.MAX_CALLBACK_CHARACTERS:
        raise InvalidInput(
            f"The callback URL has {len(callback)} characters; at most {limits.MAX_CALLBACK_CHARACTERS} are accepted."
        )


def validate_capture(*, camera_model: str | None, latitude: float | None, longitude: float | None) -> None:
    """Check the camera and the place.

    Raises:
        InvalidInput: A name that is too long, one coordinate alone, or a place not on Earth.
    """
    if camera_model is not None and len(camera_model) > limits.MAX_CAMERA_MODEL_CHARACTERS:
        message = (
            f"The camera model has {len(camera_model)} characters; at most "
            f"{limits.MAX_CAMERA_MODEL_CHARACTERS} are accepted."
        )
        raise InvalidInput(message)
    if (latitude is None) != (longitude is None):
        raise InvalidInput("Latitude and longitude must be given together, or neither.")
    if latitude is not None and not (math.isfinite(latitude) and -90 <= latitude <= 90):
        raise InvalidInput(f"Latitude {latitude} is not within -90 to 90 degrees.")
    if longitude is not None and not (math.isfinite(longitude) and -180 <= longitude <= 180):
        raise InvalidInput(f"Longitude {longitude} is not within -180 to 180 degrees.")
