"""The two ways the service divides an account; a client speaks exactly one of them (contract §1.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from visualsearch_pipeline.api.errors import InvalidInput

DEFAULT_FOLDER_ID: Final = -1
LEGACY_FOLDER_ID: Final = -2


@dataclass(frozen=True)
class UniqueIdScope:
    """A namespace by name, as the 2025 and spring 2026 documents describe it.

    Args:
        unique_id: The namespace; not empty. The service's own default is `default`.

    Raises:
        InvalidInput: The name is empty.
    """

    unique_id: str = "default"

    def __post_init__(self) -> None:
        if not self.unique_id.strip():
            raise InvalidInput("A unique_id scope needs a name that is not empty; the service's default is `default`.")

    def fields_for_library(self) -> dict[str, str | int]:
        """Return the field that names the library in uploads, listings and searches."""
        return {"unique_id": self.unique_id}

    def fields_for_video(self) -> dict[str, str | int]:
        """Return the field that calls about a single, already known video carry."""
        return {"unique_id": self.unique_id}

    def __str__(self) -> str:
        return f"unique_id={self.unique_id!r}"


@dataclass(frozen=True)
class FolderScope:
    """A folder by number, as the OpenAPI document describes it.

    Calls about a single video (metadata, transcripts, download, delete) take no scope at all in this style.

    Args:
        folder_id: -1 for the Default folder, -2 for the read-only legacy folder, or the positive id of an own one.

    Raises:
        InvalidInput: The number can be no folder.
    """

    folder_id: int = DEFAULT_FOLDER_ID

    def __post_init__(self) -> None:
        if self.folder_id < 1 and self.folder_id not in (DEFAULT_FOLDER_ID, LEGACY_FOLDER_ID):
            message = f"folder_id {self.folder_id} can be no folder: -1 is the Default folder, own ones are positive."
            raise InvalidInput(message)

    def fields_for_library(self) -> dict[str, str | int]:
        """Return the field that names the library in uploads, listings and searches."""
        return {"folder_id": self.folder_id}

    def fields_for_video(self) -> dict[str, str | int]:
        """Return nothing: in this style a video is found without naming its folder."""
        return {}

    def __str__(self) -> str:
        return f"folder_id={self.folder_id}"


Scope: TypeAlias = UniqueIdScope | FolderScope
"""What a client is given: one style or the other, never both (contract §9.38)."""
