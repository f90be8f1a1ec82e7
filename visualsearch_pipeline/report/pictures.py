"""Small pictures for the cards: from the archived keyframe, else a frame of the archived video, else none.

Those of private images are made from the image itself, where the source is a folder that can be read.

A picture's name is the hash of what it was made of, so that the next report finds it and makes only what is new.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.error
from PIL import Image, ImageOps

from visualsearch_pipeline.report.links import local_path

PICTURE_WIDTH: Final = 400
"""Pixels; a card is about half as wide, and screens of two pixels to the point are common."""

_JPEG_QUALITY: Final = 78
_MOST_FRAMES_DECODED: Final = 900
"""From the key frame before the wanted second; half a minute at 30 frames a second."""

_LAYOUT: Final = "1"
"""Changes when the same source would give another picture."""


@dataclass(frozen=True, slots=True)
class PictureSource:
    """What a hit's picture can be made of.

    Attributes:
        location: The archived keyframe or video, or an image of the source.
        identity: Something that changes when the file's content does, such as its SHA-256.
        at_seconds: Where in the video; None for a keyframe or an image.
        is_sha256_checked: Whether the file must still have `identity` as its SHA-256: a source file is not ours, and
            may have been replaced since.
    """

    location: str
    identity: str
    at_seconds: float | None = None
    is_sha256_checked: bool = False

    @property
    def file_name(self) -> str:
        """The name of the picture made of it."""
        moment = "" if self.at_seconds is None else f"{self.at_seconds:.3f}"
        material = "\n".join((_LAYOUT, str(PICTURE_WIDTH), self.identity or self.location, moment))
        return hashlib.sha256(material.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".jpg"


def make_pictures(
    sources: Iterable[PictureSource],
    folder: Path,
    *,
    time_limit_seconds: float,
    workers: int,
    clock: Callable[[], float] = time.monotonic,
) -> dict[PictureSource, str]:
    """Make the pictures that are not in `folder` yet.

    Args:
        sources: In the order of their importance.
        folder: Where pictures lie; made if it is not there.
        time_limit_seconds: No picture is begun after this time; the next report goes on with the rest.
        workers: Threads.
        clock: Tells the time in seconds.

    Returns:
        The name of each picture that is there. Sources that are gone or cannot be read have none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there = {entry.name for entry in os.scandir(folder)}
    deadline = clock() + time_limit_seconds
    wanted = dict.fromkeys(sources)
    missing = [source for source in wanted if source.file_name not in there]

    def make(source: PictureSource) -> str | None:
        if clock() < deadline and _make(source, folder):
            return source.file_name
        return None

    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="picture") as pool:
        there.update(name for name in pool.map(make, missing) if name is not None)
    return {source: source.file_name for source in wanted if source.file_name in there}


def _make(source: PictureSource, folder: Path) -> bool:
    path = local_path(source.location)
    if path is None or not path.is_file():
        return False
    try:
        if source.is_sha256_checked and _sha256(path) != source.identity:
            return False
        picture = _still(path) if source.at_seconds is None else _frame(path, source.at_seconds)
    except (OSError, ValueError, av.error.FFmpegError, Image.DecompressionBombError):
        # A damaged picture is no reason to have no report; the card is drawn without it.
        return False
    if picture is None:
        return False
    temporary = folder / f".{source.file_name}.{os.getpid()}.{secrets.token_hex(4)}.part"
    try:
        with temporary.open("xb") as file:
            picture.save(file, "JPEG", quality=_JPEG_QUALITY, optimize=True)
            file.flush()
            # The name promises the content for good, so a loss of power may not leave it empty.
            os.fsync(file.fileno())
        temporary.replace(folder / source.file_name)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _still(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.draft("RGB", (PICTURE_WIDTH, PICTURE_WIDTH))
        return _shrunk(ImageOps.exif_transpose(picture).convert("RGB"))


def _frame(path: Path, at_seconds: float) -> Image.Image | None:
    """The first frame that is shown at or after `at_seconds`; the last one before it where there is none."""
    with av.open(str(path)) as container:
        if not container.streams.video:
            return None
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        time_base = stream.time_base or Fraction(1, av.time_base)
        wanted_seconds = float((stream.start_time or 0) * time_base) + max(0.0, at_seconds)
        container.seek(int(wanted_seconds / time_base), stream=stream, backward=True)
        found: av.VideoFrame | None = None
        for count, frame in enumerate(container.decode(stream)):
            found = frame
            if (frame.pts or 0) * time_base >= wanted_seconds - 1e-3 or count >= _MOST_FRAMES_DECODED:
                break
        # PyAV's type hints leave this method out.
        return None if found is None else _shrunk(found.to_image())  # type: ignore[no-untyped-call]


def _shrunk(picture: Image.Image) -> Image.Image:
    picture.thumbnail((PICTURE_WIDTH, PICTURE_WIDTH), Image.Resampling.LANCZOS)
    return picture
