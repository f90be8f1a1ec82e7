"""What a still image is, decoded whole before it is sent: the service refuses a whole batch for one bad file.

Capture facts come from Exif. Its times mostly carry no zone; such a time is taken for UTC, as for clips.
"""

from __future__ import annotations

import io
import math
import re
import struct
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from PIL import ExifTags, Image, UnidentifiedImageError

from visualsearch_pipeline.api.limits import MAX_CAMERA_MODEL_CHARACTERS
from visualsearch_pipeline.media.container_metadata import Position

IMAGE_FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
"""The formats that the service takes, by Pillow's names (contract §2.3)."""


class UndecodableImage(Exception):  # noqa: N818  says what happened, as in `visualsearch_pipeline.media.errors`
    """Bytes that no decoder makes an image of. The message goes on after "the image".

    Attributes:
        is_image: Whether they begin like an image, which is then damaged or too large in pixels.
    """

    def __init__(self, problem: str, *, is_image: bool) -> None:
        super().__init__(problem)
        self.is_image = is_image


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """A decoded image.

    Attributes:
        format: As found in it, such as `PNG`; the file name may say another.
        width: In pixels.
        height: In pixels.
        captured_at: When it was taken, UTC; None where it does not say.
        camera_model: Make and model, at most as long as the service takes it (contract §2.3).
        position: Where it was taken.
    """

    format: str
    width: int
    height: int
    captured_at: datetime | None = None
    camera_model: str | None = None
    position: Position | None = None


def probe_image(content: bytes) -> ImageInfo:
    """Decode an image to its last pixel.

    Raises:
        UndecodableImage: it is none of the formats that the service takes, damaged, or unpacks to too many pixels.
    """
    try:
        with warnings.catch_warnings():
            # A picture that unpacks to gigabytes is an attack or an accident; either way nobody means to send it.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # What Pillow finds odd about Exif, and passes over, must not keep a good picture out.
            warnings.simplefilter("ignore", UserWarning)
            with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
                image.load()
                exif, of_capture, of_place = _exif(image)
                return ImageInfo(
                    format=str(image.format),
                    width=image.width,
                    height=image.height,
                    captured_at=_captured_at(of_capture),
                    camera_model=_camera_model(exif),
                    position=_position(of_place),
                )
    except UnidentifiedImageError:
        raise UndecodableImage("is not an image, whatever its name says", is_image=False) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UndecodableImage(f"has too many pixels; scale it down ({error})", is_image=True) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        # Pillow's decoders raise any of these for damaged data.
        raise UndecodableImage(f"is damaged: {error}", is_image=True) from error


def _exif(image: Image.Image) -> tuple[Mapping[int, object], ...]:
    """The Exif data and its parts about capture and place; all empty where they cannot be read."""
    with suppress(OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError, struct.error):
        exif = image.getexif()
        return exif, exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    return {}, {}, {}


def _captured_at(exif: Mapping[int, object]) -> datetime | None:
    written = exif.get(ExifTags.Base.DateTimeOriginal)
    offset = str(exif.get(ExifTags.Base.OffsetTimeOriginal) or "").strip(" \0")
    if not isinstance(written, str):
        return None
    try:
        moment = datetime.strptime(written.strip(" \0"), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
        if re.fullmatch(r"[+-]\d\d:\d\d", offset):
            moment = datetime.fromisoformat(f"{moment:%Y-%m-%dT%H:%M:%S}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # Earlier times are the zero of a clock that was never set.
    return moment if moment.year > 1970 else None


def _camera_model(exif: Mapping[int, object]) -> str | None:
    make, model = (str(exif.get(tag) or "") for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    named = model if model.casefold().startswith(make.strip(" \0").casefold()) else f"{make} {model}"
    printable = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", named).split())
    return printable[:MAX_CAMERA_MODEL_CHARACTERS] or None


def _position(gps: Mapping[int, object]) -> Position | None:
    """Where it was taken; None also for 0° 0°, which is what cameras write that have no fix."""
    latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), negative="S")
    longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), negative="W")
    if latitude is None or longitude is None or (latitude, longitude) == (0.0, 0.0):
        return None
    return Position(latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _degrees(value: object, reference: object, *, negative: str) -> float | None:
    if not isinstance(value, Sequence) or len(value) != 3:
        return None
    try:
        degrees, minutes, seconds = (float(part) for part in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    found = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(found):
        return None
    return -found if str(reference).strip(" \0").upper() == negative else found
