"""From a URL to the storage behind it: the one place where fsspec's ways of naming things are dealt with.

A source may be a plain local path, `file://`, `s3://`, `gs://`, `sftp://` or any other protocol that fsspec knows. The
URI of a file is the protocol, `://` and the storage's own name of the file, *not* percent-encoded: `#`, `?`, `%`,
spaces and line ends stand for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from visualsearch_pipeline.media.errors import SourceUnavailable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

StorageOptions: TypeAlias = Mapping[str, object]
"""What fsspec needs to reach a storage beyond the URL: credentials, endpoint, … Never logged, never part of a URI."""


def filesystem_of(url: str, *, storage_options: StorageOptions | None = None) -> tuple[AbstractFileSystem, str]:
    """The filesystem that a URL points into, and the path on it.

    `fsspec.url_to_fs` is not enough: it takes `::` anywhere in a URL for a chain of filesystems, and people do name
    files so. Only what stands before the path decides here.

    Args:
        url: A local path, or `protocol://…`, not percent-encoded.
        storage_options: Passed to the filesystem's constructor.

    Raises:
        SourceUnavailable: The protocol is unknown, its package is missing, it cannot be reached with these options, or
            the URL is a chain such as `simplecache::s3://…`, whose files have no URI of their own.
    """
    from fsspec.core import url_to_fs

    protocol, separator, rest = url.partition("://")
    if not separator or "/" in protocol:
        protocol, rest = "file", url
    elif "::" in protocol:
        raise SourceUnavailable(url, problem="chained URLs are not supported; give the URL of the storage itself.")
    authority = "" if protocol in {"file", "local", "memory"} else rest.partition("/")[0]
    try:
        filesystem, _ = url_to_fs(f"{protocol}://{authority or '/'}", **dict(storage_options or {}))
    except (ImportError, ValueError, TypeError, OSError) as error:
        problem = f"the protocol {protocol!r} cannot be used here: {error}"
        raise SourceUnavailable(url, problem=problem) from error
    # fsspec has no public name for this.
    path: str = filesystem._strip_protocol(rest if protocol == "file" else url)  # noqa: SLF001
    return filesystem, path
