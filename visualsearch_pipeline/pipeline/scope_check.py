"""Whether the settings name the part of the account that holds the videos: the mistake that looks like "no data".

A namespace that does not exist is answered like an empty one, and listing it may even make it (contract §1.9). So the
account is asked first which parts it has, and only then what is in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import yaml

from visualsearch_pipeline.api import (
    EndpointUnavailable,
    FolderScope,
    Scope,
    UniqueIdScope,
    VisualSearchClient,
)
from visualsearch_pipeline.api.scopes import DEFAULT_FOLDER_ID

_NAMED: Final = 5

OpenClient = Callable[[Scope], VisualSearchClient]
"""Opens a client for a scope of the account; the caller of it closes it."""

_LOOKED_INTO: Final = 20
"""Of so many other scopes the videos are counted; an account with more has them named without a count."""


@dataclass(frozen=True)
class Place:
    """A part of the account. `videos` is None where nobody counted."""

    scope: Scope
    videos: int | None
    label: str

    def __str__(self) -> str:
        return self.label if self.videos is None else f"{self.label} ({self.videos} videos)"


@dataclass(frozen=True)
class ScopeReport:
    """What the account has.

    Attributes:
        scope: The one in the settings.
        videos: How many videos are in it; None if it was not looked into, as it does not exist.
        speaks_other_style: Whether the service divides accounts in the other way than the settings do.
        others: Other parts that hold videos, the fullest first.
    """

    scope: Scope
    videos: int | None
    speaks_other_style: bool
    others: tuple[Place, ...]

    @property
    def looks_wrong(self) -> bool:
        """Whether a mistake is likely: nothing here, and something elsewhere."""
        return self.speaks_other_style or (not self.videos and bool(self.others))

    @property
    def setting(self) -> str | None:
        """What to write in the settings instead, or None."""
        if not self.looks_wrong or not self.others:
            return None
        return setting_of(self.others[0].scope)

    def __str__(self) -> str:
        """What a person should know, in one sentence; only if it looks wrong."""
        elsewhere = ", ".join(str(place) for place in self.others[:_NAMED])
        remedy = f" If the videos belong there, write `{self.setting}`." if self.setting else ""
        if self.speaks_other_style:
            style = f"the service does not divide accounts as the settings do ({self.scope})"
            return f"{style}; it has {elsewhere or 'nothing'}.{remedy}"
        return f"{self.scope} holds no videos, and {elsewhere} does.{remedy}"


def setting_of(scope: Scope) -> str:
    """A scope as it is written in the settings, such as `api: {scope: {folder_id: 7}}`."""
    named = {"folder_id": scope.folder_id} if isinstance(scope, FolderScope) else {"unique_id": scope.unique_id}
    written = yaml.safe_dump({"scope": named}, default_flow_style=True, allow_unicode=True, width=1000)
    return f"api: {written.strip()}"


def check_scope(scope: Scope, *, open_client: OpenClient) -> ScopeReport:
    """Ask the account which parts it has, and how many videos are in them. Nothing of this costs anything.

    Raises:
        ApiError: the service refused, as it does for a wrong key.
        TransportError: no usable answer came.
    """
    try:
        known = _parts(scope, open_client=open_client)
        is_other = False
    except EndpointUnavailable:
        try:
            known = _parts(_other_style(scope), open_client=open_client)
        except EndpointUnavailable:
            # A service that tells of neither: what the scope holds is all that can be known.
            known = ()
            is_other = False
        else:
            is_other = True
    if is_other:
        return ScopeReport(scope, None, speaks_other_style=True, others=_counted(known, open_client=open_client))
    exists = not known or any(part == scope for part, _ in known)
    others = tuple(part for part in known if part[0] != scope)
    videos = _count(scope, open_client=open_client) if exists else None
    # Where there are videos, nobody needs to know of the others.
    return ScopeReport(
        scope,
        videos,
        speaks_other_style=False,
        others=() if videos else _counted(others, open_client=open_client),
    )


def _other_style(scope: Scope) -> Scope:
    return UniqueIdScope() if isinstance(scope, FolderScope) else FolderScope()


def _parts(scope: Scope, *, open_client: OpenClient) -> tuple[tuple[Scope, str], ...]:
    """All parts of the account in the style of `scope`, each with its name."""
    with open_client(scope) as client:
        if isinstance(scope, UniqueIdScope):
            return tuple((UniqueIdScope(name), f"unique_id {name!r}") for name in client.list_unique_ids())
        folders = client.list_folders()
    own = tuple(
        (FolderScope(folder.folder_id), f"folder {folder.folder_id} {folder.folder_name!r}")
        for folder in folders
        if folder.folder_id > 0
    )
    return ((FolderScope(DEFAULT_FOLDER_ID), f"folder {DEFAULT_FOLDER_ID} (Default)"), *own)


def _counted(parts: tuple[tuple[Scope, str], ...], *, open_client: OpenClient) -> tuple[Place, ...]:
    if len(parts) > _LOOKED_INTO:
        return tuple(Place(scope, None, label) for scope, label in parts)
    places = [Place(scope, _count(scope, open_client=open_client), label) for scope, label in parts]
    return tuple(sorted((place for place in places if place.videos), key=lambda place: -(place.videos or 0)))


def _count(scope: Scope, *, open_client: OpenClient) -> int:
    with open_client(scope) as client:
        page = client.list_videos(size=1)
    return page.total_count if page.total_count is not None else len(page.videos)
