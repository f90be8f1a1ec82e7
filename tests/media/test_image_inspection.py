"""Images of the source: what the service would take, decoded and hashed, and why the rest is set aside."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from visualsearch_pipeline.api.limits import MAX_IMAGE_BYTES
from visualsearch_pipeline.media import (
    FileChanged,
    FileVanished,
    ImageInfo,
    MediaRejected,
    RejectionReason,
    SourceFile,
    UndecodableImage,
    discover,
    inspect_image,
    probe_image,
)


def encoded(format_name: str = "PNG", *, exif: Image.Exif | None = None) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 8), "red").save(buffer, format_name, **({"exif": exif} if exif is not None else {}))
    return buffer.getvalue()


def found_in(folder: Path) -> SourceFile:
    (file,) = discover(str(folder), include=["**/*"]).files
    return file


def taken(written: str, offset: str | None = None) -> Image.Exif:
    exif = Image.Exif()
    part = exif.get_ifd(ExifTags.IFD.Exif)
    part[ExifTags.Base.DateTimeOriginal] = written
    if offset is not None:
        part[ExifTags.Base.OffsetTimeOriginal] = offset
    return exif


@pytest.mark.parametrize("format_name", ["BMP", "GIF", "JPEG", "PNG", "WEBP"])
def test_every_format_that_the_service_takes_is_decoded_and_hashed(tmp_path: Path, format_name: str) -> None:
    content = encoded(format_name)
    (tmp_path / f"picture.{format_name.lower()}").write_bytes(content)

    inspected = inspect_image(found_in(tmp_path))

    assert inspected.sha256 == hashlib.sha256(content).hexdigest()
    assert inspected.content == content
    assert inspected.info == ImageInfo(format=format_name, width=12, height=8)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("picture.tiff", encoded(), RejectionReason.EXTENSION),
        ("picture.png", b"", RejectionReason.EMPTY),
        ("picture.png", b"\0" * (MAX_IMAGE_BYTES + 1), RejectionReason.TOO_LARGE),
        ("picture.png", b"plain text", RejectionReason.NOT_AN_IMAGE),
        ("picture.png", encoded("TIFF"), RejectionReason.NOT_AN_IMAGE),
        ("picture.png", encoded()[:50], RejectionReason.BROKEN),
    ],
    ids=["extension", "empty", "too large", "text", "another format", "cut"],
)
def test_what_the_service_would_refuse_is_set_aside(
    tmp_path: Path, name: str, content: bytes, reason: RejectionReason
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(MediaRejected) as rejected:
        inspect_image(found_in(tmp_path))

    assert rejected.value.reason is reason
    assert rejected.value.message.endswith(".")


def test_a_file_that_is_gone_or_another_is_not_taken_for_the_one_that_was_found(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded())
    file = found_in(tmp_path)
    os.utime(path, (1, 1))

    with pytest.raises(FileChanged, match="last modified"):
        inspect_image(file)
    path.unlink()
    with pytest.raises(FileVanished):
        inspect_image(file)


@pytest.mark.parametrize(
    ("written", "offset", "expected"),
    [
        ("2026:02:03 04:05:06", None, datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("2026:02:03 04:05:06", "-02:30", datetime(2026, 2, 3, 6, 35, 6, tzinfo=UTC)),
        ("2026:02:03 04:05:06", "nonsense", datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("0000:00:00 00:00:00", None, None),
        ("1970:01:01 00:00:00", None, None),
        ("yesterday", None, None),
    ],
)
def test_the_time_in_an_image_is_utc_unless_it_names_its_zone(
    written: str, offset: str | None, expected: datetime | None
) -> None:
    assert probe_image(encoded("JPEG", exif=taken(written, offset))).captured_at == expected


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        ((("S"), (33.0, 52.0, 12.0)), ("E", (151.0, 12.0, 36.0)), (-33.87, 151.21)),
        (("N", (0.0, 0.0, 0.0)), ("E", (0.0, 0.0, 0.0)), None),
        (("N", (95.0, 0.0, 0.0)), ("E", (0.0, 0.0, 0.0)), None),
        (("N", (52.0, 0.0, 0.0)), None, None),
    ],
    ids=["Sydney", "no fix", "not on Earth", "half"],
)
def test_the_place_in_an_image_is_a_place_on_earth_or_none(
    latitude: tuple[str, tuple[float, ...]], longitude: tuple[str, tuple[float, ...]] | None, expected: object
) -> None:
    exif = Image.Exif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = latitude
    if longitude is not None:
        gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = longitude

    position = probe_image(encoded("JPEG", exif=exif)).position

    found = position and (round(position.latitude, 2), round(position.longitude, 2))
    assert found == expected


def test_make_and_model_are_one_name() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Canon\0", "Canon EOS R5\0"

    assert probe_image(encoded("JPEG", exif=exif)).camera_model == "Canon EOS R5"


def test_damaged_exif_keeps_no_picture_out() -> None:
    exif = taken("2026:02:03 04:05:06").tobytes()
    buffer = io.BytesIO()
    Image.new("RGB", (12, 8), "red").save(buffer, "JPEG", exif=exif[:20] + b"\xff" * 12 + exif[32:])

    assert probe_image(buffer.getvalue()).width == 12


def test_a_picture_that_unpacks_to_gigabytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)

    with pytest.raises(UndecodableImage, match="too many pixels"):
        probe_image(encoded())
