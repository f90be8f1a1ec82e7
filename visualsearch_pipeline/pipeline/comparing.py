"""Comparing what the ledger believes with what the library holds. Pure: no calls, no state."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from visualsearch_pipeline.api import Video, VideoStatus
from visualsearch_pipeline.ledger import LibraryVideo
from visualsearch_pipeline.ledger.states import SUPERSEDED_VIDEOS
from visualsearch_pipeline.pipeline.upload_marks import HASH_TAG_PREFIX, URL_TAG_PREFIX

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class Difference(StrEnum):
    """How ledger and library can disagree, or agree that something is wrong."""

    MISSING = "missing"
    """Uploaded by us and not in the library."""
    ADOPTABLE = "adoptable"
    """In the library and unknown to the ledger, with the tag of a content that lies in the source and is not bound."""
    UNKNOWN = "unknown"
    """In the library, and nothing says that it is ours."""
    DUPLICATE = "duplicate"
    """In the library with the same content as another entry."""
    FAILED = "failed"
    """Ours, and the service could not index it."""
    STUCK = "stuck"
    """Ours, and still being indexed for longer than the settings allow."""


@dataclass(frozen=True)
class Finding:
    """One entry about which something is to be said.

    Attributes:
        kind: What.
        video_no: The entry.
        name: What the ledger or else the library calls it.
        detail: More, for people.
        sha256: Its content, as far as a tag or the ledger tells.
        entry: What the library says of it; None if it is missing.
        url_identity: The URL it was fetched from, as far as a tag tells: SHA-256 of the address.
    """

    kind: Difference
    video_no: str
    name: str
    detail: str
    sha256: str | None = None
    entry: Video | None = None
    url_identity: str | None = None


def compare(
    ours: Sequence[LibraryVideo],
    library: Iterable[Video],
    *,
    unbound: frozenset[str],
    now: datetime,
    grace_seconds: float,
    stuck_after: Callable[[float | None], float],
    names: Mapping[str, str],
    unbound_urls: frozenset[str] = frozenset(),
) -> tuple[Finding, ...]:
    """Everything in which ledger and library differ, or agree that it is wrong, by kind.

    Args:
        ours: The entries that the ledger knows, replaced and deleted ones included.
        library: All that the service lists.
        unbound: SHA-256 of the queued contents, and of those whose entry is known to be missing.
        now: The time.
        grace_seconds: How long a new upload may be invisible.
        stuck_after: How many seconds after its upload a video of a length, in seconds, counts as stuck.
        unbound_urls: Identities of the queued URLs.
        names: For people: where each of `ours` came from, by its `video_no`.
    """
    listed = {video.video_no: video for video in library}
    bound = {video.video_no: video for video in ours if video.state not in SUPERSEDED_VIDEOS}
    shas = {video.video_no: video.sha256 for video in ours if video.sha256 is not None}
    names_of_contents = {video.sha256: names.get(video.video_no) for video in ours if video.sha256 is not None}
    findings = [
        Finding(
            Difference.MISSING,
            video.video_no,
            names.get(video.video_no, video.video_name or ""),
            f"uploaded {video.uploaded_at:%Y-%m-%d}, not in the library: deleted there, or uploaded to another scope",
            video.sha256,
        )
        for video in bound.values()
        if video.video_no not in listed and (now - video.uploaded_at).total_seconds() > grace_seconds
    ]
    unbound |= {finding.sha256 for finding in findings if finding.sha256 is not None}
    duplicates = _duplicates(listed, bound, shas)
    for entry in listed.values():
        sha256 = shas.get(entry.video_no) or tagged_sha256(entry)
        name = names.get(entry.video_no) or names_of_contents.get(sha256 or "") or entry.video_name
        if entry.video_no in duplicates:
            detail = f"same content as {duplicates[entry.video_no]}"
            findings.append(Finding(Difference.DUPLICATE, entry.video_no, name, detail, sha256, entry))
        elif entry.video_no in bound:
            said = _trouble(entry, bound[entry.video_no], now=now, stuck_after=stuck_after)
            if said is not None:
                findings.append(Finding(said[0], entry.video_no, name, said[1], sha256, entry))
        elif sha256 in unbound:
            detail = "carries the tag of a content in the source: --adopt binds it"
            findings.append(Finding(Difference.ADOPTABLE, entry.video_no, name, detail, sha256, entry))
        elif (identity := tagged_url(entry)) in unbound_urls:
            detail = "carries the tag of a URL in the list: --adopt binds it"
            findings.append(Finding(Difference.ADOPTABLE, entry.video_no, name, detail, None, entry, identity))
        else:
            is_ours = sha256 is not None or identity is not None
            detail = "carries our tag; the ledger does not know its content" if is_ours else "carries no tag of ours"
            findings.append(Finding(Difference.UNKNOWN, entry.video_no, name, detail, sha256, entry, identity))
    order = list(Difference)
    return tuple(sorted(findings, key=lambda finding: (order.index(finding.kind), finding.name, finding.video_no)))


def tagged_sha256(video: Video) -> str | None:
    """The content that an entry's `sha256:` tag names; None without one, or with one that is no hash."""
    for tag in video.tags:
        if tag.startswith(HASH_TAG_PREFIX) and _SHA256.fullmatch(found := tag.removeprefix(HASH_TAG_PREFIX)):
            return found
    return None


def tagged_url(video: Video) -> str | None:
    """The URL that an entry's `url:` tag names, by its identity; None without one, or with one that is no hash."""
    for tag in video.tags:
        if tag.startswith(URL_TAG_PREFIX) and _SHA256.fullmatch(found := tag.removeprefix(URL_TAG_PREFIX)):
            return found
    return None


def _duplicates(
    listed: Mapping[str, Video], bound: Mapping[str, LibraryVideo], shas: Mapping[str, str]
) -> dict[str, str]:
    """For each entry that repeats another's content: the entry that stays, the ledger's own or else the oldest."""
    by_content: dict[str, list[Video]] = defaultdict(list)
    for entry in listed.values():
        made_of = shas.get(entry.video_no) or tagged_sha256(entry) or tagged_url(entry)
        if made_of is not None:
            by_content[made_of].append(entry)
    repeats: dict[str, str] = {}
    for entries in by_content.values():
        first, *others = sorted(
            entries,
            key=lambda entry: (
                entry.video_no not in bound,
                entry.created_at is None,
                entry.created_at,
                entry.video_no,
            ),
        )
        repeats |= {entry.video_no: first.video_no for entry in others}
    return repeats


def _trouble(
    entry: Video, known: LibraryVideo, *, now: datetime, stuck_after: Callable[[float | None], float]
) -> tuple[Difference, str] | None:
    if entry.status is VideoStatus.FAILED:
        return Difference.FAILED, entry.cause or "the service gave no cause"
    age_seconds = (now - known.uploaded_at).total_seconds()
    if entry.status is VideoStatus.PROCESSING and age_seconds > stuck_after(known.duration_seconds):
        return Difference.STUCK, f"still {entry.raw_status} after {age_seconds / 3600:.1f} h"
    return None
