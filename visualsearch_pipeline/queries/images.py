"""Images of saved queries, looked at before the service is: what it would refuse is refused here, with the reason."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from visualsearch_pipeline.api.limits import IMAGE_EXTENSIONS, MAX_IMAGE_BYTES
from visualsearch_pipeline.media import UndecodableImage, probe_image
from visualsearch_pipeline.queries.question_parts import QueryImage

_MEGABYTE: Final = 1024**2


class UnusableImageError(Exception):
    """The image of a query cannot be sent. The message says what is wrong with which file, and the remedy."""


def open_query_image(path: Path) -> QueryImage:
    """Read, decode and hash the image at `path`.

    Raises:
        UnusableImageError: it is missing, unreadable, too large, not an image, or of an extension that the service
            does not take (contract §2.3).
    """
    path = path.absolute()
    if path.suffix.lower() not in IMAGE_EXTENSIONS:
        accepted = ", ".join(sorted(IMAGE_EXTENSIONS))
        raise UnusableImageError(f"the image {path} is not of a kind the service takes; it takes {accepted}")
    content = _read(path)
    return QueryImage(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        format=_decoded_format(content, path),
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # One byte more than allowed tells the too large from the allowed without reading all of it.
            content = file.read(MAX_IMAGE_BYTES + 1)
    except FileNotFoundError:
        raise UnusableImageError(f"the image {path} does not exist; mend the path or put the file there") from None
    except IsADirectoryError:
        raise UnusableImageError(f"the image {path} is a folder; name a file in it") from None
    except OSError as error:
        raise UnusableImageError(f"the image {path} cannot be read: {error.strerror or error}") from error
    if not content:
        raise UnusableImageError(f"the image {path} is empty")
    if len(content) > MAX_IMAGE_BYTES:
        size, limit = path.stat().st_size / _MEGABYTE, MAX_IMAGE_BYTES // _MEGABYTE
        raise UnusableImageError(f"the image {path} has {size:.1f} MB; the service takes {limit} MB, so scale it down")
    return content


def _decoded_format(content: bytes, path: Path) -> str:
    try:
        return probe_image(content).format
    except UndecodableImage as error:
        raise UnusableImageError(f"the image {path} {error}") from error
