"""Everything that must be known of a file before it is sent, in one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from visualsearch_pipeline.media.filesystem import StorageOptions
from visualsearch_pipeline.media.hashing import ContentHash, sha256_of
from visualsearch_pipeline.media.probing import MediaInfo, probe
from visualsearch_pipeline.media.source_file import SourceFile


@dataclass(frozen=True, slots=True)
class InspectedMedia:
    """A file that the service will take.

    Attributes:
        file: As it was discovered, and still is.
        info: What is in it.
        content: What identifies its content.
    """

    file: SourceFile
    info: MediaInfo
    content: ContentHash


def inspect(
    file: SourceFile,
    *,
    storage_options: StorageOptions | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> InspectedMedia:
    """Probe a file, then hash it: what would be refused is not read through first.

    Raises:
        MediaRejected: The service would refuse it, or it cannot be read.
        FileChanged: It changed since it was discovered. What the probe saw is then worth nothing either.
        FileVanished: It is gone.
    """
    info = probe(file, storage_options=storage_options)
    content = sha256_of(file, storage_options=storage_options, on_progress=on_progress)
    return InspectedMedia(file, info, content)
