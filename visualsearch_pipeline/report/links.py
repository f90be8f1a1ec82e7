"""Links from the report's page to files of the archive, so that a click plays them without a server."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

_WEB_SCHEMES = frozenset({"http", "https"})


def local_path(location: str) -> Path | None:
    """The local file that a path or `file:` URL names; None for any other URL."""
    if "://" not in location:
        return Path(os.path.abspath(location))  # noqa: PTH100 - browsers resolve `..` by name, not through symlinks
    parts = urlsplit(location)
    if parts.scheme != "file":
        return None
    return Path(unquote(parts.path))


def archive_link(location: str, *, page_folder: Path, archive_root: str | None) -> str | None:
    """The link from a page in `page_folder` to an archived file.

    A relative link, where the archive and the page have a folder in common: both can then be moved, copied or mounted
    elsewhere together. Else a `file:` URL, which holds on this machine only.

    Args:
        location: Where the file lies: a path or URL.
        page_folder: The folder of the page.
        archive_root: The archive's folder or URL; None where it is not known.

    Returns:
        None where no browser could open it, such as an object store's URL.
    """
    path = local_path(location)
    if path is None:
        return location if urlsplit(location).scheme in _WEB_SCHEMES else None
    page = Path(os.path.abspath(page_folder))  # noqa: PTH100 - as above
    root = local_path(archive_root) if archive_root else None
    if root is not None and path.is_relative_to(root) and _have_folder_in_common(page, root):
        return quote(PurePosixPath(os.path.relpath(path, page)).as_posix())
    return path.as_uri()


def _have_folder_in_common(first: Path, second: Path) -> bool:
    return os.path.commonpath([first, second]) != first.anchor
