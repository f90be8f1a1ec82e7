"""Ledger and library, brought together: compared by listing, and where a person asks for it, adopted or queued again.

Without being asked, nothing changes but what the ledger says of our own videos: one that the library does not have is
missing, and never sent again by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from visualsearch_pipeline.api import Video, VideoStatus, VisualSearchError
from visualsearch_pipeline.ledger import (
    LeaseOwner,
    LibraryVideo,
    UploadState,
    VideoObservation,
    VideoOrigin,
    VideoState,
)
from visualsearch_pipeline.ledger.states import SUPERSEDED_VIDEOS
from visualsearch_pipeline.pipeline.comparing import Difference, Finding, compare
from visualsearch_pipeline.pipeline.index import notice_reindexed
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.remote_deletion import settle_remote_deletions
from visualsearch_pipeline.pipeline.stopping import stopping_error
from visualsearch_pipeline.pipeline.upload_marks import DAY_TAG_PREFIX
from visualsearch_pipeline.warehouse import Answer, SearchedPair, replace_hits

_ASKED_ALONE: Final = 50
"""So many missing entries are asked about one by one, in case the list lagged; for more, the list is believed."""


@dataclass(frozen=True)
class AgreementReport:
    """What a comparison found, before anything was done about it, and what was done.

    Attributes:
        listed: Entries in the library.
        ours: Entries that the ledger knows, those that were replaced or that we deleted left out.
        findings: See `comparing`.
        adopted: `video_no` of the entries that were bound to a content.
        compared: Entries that were downloaded and hashed.
        queued_again: Missing entries whose content was queued again.
    """

    listed: int
    ours: int
    findings: tuple[Finding, ...]
    adopted: tuple[str, ...] = ()
    compared: int = 0
    queued_again: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[Difference, int]:
        """How many findings there are of each kind."""
        found = Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in Difference}

    @property
    def left(self) -> tuple[Finding, ...]:
        """The findings that nothing was done about and that need a person. Strangers' entries do not."""
        done = {*self.adopted, *self.queued_again}
        bound = {finding.sha256 for finding in self.findings if finding.video_no in self.adopted} - {None}
        return tuple(
            finding
            for finding in self.findings
            if finding.kind is not Difference.UNKNOWN
            and finding.video_no not in done
            and not (finding.kind is Difference.MISSING and finding.sha256 in bound)
        )


def agree(
    pipeline: Pipeline, *, adopt: bool = False, by_download: bool = False, reupload_missing: bool = False
) -> AgreementReport:
    """List the library, compare it with the ledger, and do what is asked for.

    Args:
        pipeline: the run.
        adopt: bind unknown entries that carry our `sha256:` tag to the contents in the source, which is looked into
            first: from nothing but source and library this rebuilds a lost ledger.
        by_download: download unknown entries without a tag whose size is that of a queued content, and adopt those
            whose bytes are the same. Implies `adopt`.
        reupload_missing: queue the contents and URLs of missing entries again. Imported posts cannot be had one by one.

    Raises:
        SourceProblem: the source cannot be listed.
        ServiceRefuses: the service refuses every call.
        ServiceUnreachable: no connection can be made.
        BudgetExceeded: the next download would pass a budget. What was adopted before stays so.
    """
    adopt = adopt or by_download
    if adopt:
        look_at_source(pipeline)
        ingest(pipeline)
    try:
        settle_remote_deletions(pipeline)
        listed = tuple(pipeline.client.iter_videos())
        findings = _confirmed(pipeline, _compare(pipeline, listed))
    except VisualSearchError as error:
        raise stopping_error(pipeline, error) or error from error
    notice_reindexed(pipeline, listed)
    _keep_missing(pipeline, findings)
    adopted = _adopt_tagged(pipeline, findings) if adopt else []
    compared = 0
    if by_download:
        compared = _adopt_equal(pipeline, findings, adopted)
    queued_again = _queue_missing_again(pipeline, findings) if reupload_missing else ()
    return AgreementReport(
        listed=len(listed),
        ours=sum(video.state not in SUPERSEDED_VIDEOS for video in _all_videos(pipeline)),
        findings=findings,
        adopted=tuple(adopted),
        compared=compared,
        queued_again=queued_again,
    )


def _all_videos(pipeline: Pipeline) -> tuple[LibraryVideo, ...]:
    return pipeline.ledger.videos.in_state(*VideoState)


def _compare(pipeline: Pipeline, listed: Sequence[Video]) -> tuple[Finding, ...]:
    ledger, indexing = pipeline.ledger, pipeline.settings.indexing
    ours = _all_videos(pipeline)
    missing = {video.sha256 for video in ours if video.state is VideoState.MISSING and video.sha256 is not None}
    unbound = frozenset(upload.sha256 for upload in ledger.uploads.open()) | missing
    return compare(
        ours,
        listed,
        unbound=unbound,
        now=pipeline.now(),
        grace_seconds=indexing.grace_seconds,
        stuck_after=indexing.stuck_after,
        names=ledger.videos.media_uris(),
        unbound_urls=frozenset(upload.identity for upload in ledger.url_uploads.open()),
    )


def _confirmed(pipeline: Pipeline, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Without the missing entries that the service knows after all."""
    missing = [finding.video_no for finding in findings if finding.kind is Difference.MISSING]
    if len(missing) > _ASKED_ALONE:
        return findings
    there = {video_no for video_no in missing if pipeline.client.get_metadata(video_no) is not None}
    return tuple(finding for finding in findings if finding.video_no not in there)


def _keep_missing(pipeline: Pipeline, findings: Iterable[Finding]) -> None:
    known_missing = {video.video_no for video in pipeline.ledger.videos.in_state(VideoState.MISSING)}
    pipeline.ledger.videos.record_observations(
        [
            VideoObservation(video_no=finding.video_no, state=VideoState.MISSING, cause=finding.detail)
            for finding in findings
            if finding.kind is Difference.MISSING and finding.video_no not in known_missing
        ],
        at=pipeline.now(),
    )


def _adopt_tagged(pipeline: Pipeline, findings: Iterable[Finding]) -> list[str]:
    return [
        finding.video_no
        for finding in findings
        if finding.kind is Difference.ADOPTABLE
        and finding.entry is not None
        and _adopt(pipeline, finding, finding.entry)
    ]


def _adopt(pipeline: Pipeline, finding: Finding, entry: Video) -> bool:
    """Make an entry the one of the content or of the URL that its tag names."""
    if finding.url_identity is not None:
        return _bind_url(pipeline, finding.url_identity, entry)
    return finding.sha256 is not None and _bind(pipeline, finding.sha256, entry)


def _bind_url(pipeline: Pipeline, identity: str, entry: Video) -> bool:
    """Make an entry the one of a URL of the list; False if another process is at work on it, or it has one."""
    uploads = pipeline.ledger.url_uploads
    if uploads.take(identity, owner=LeaseOwner.current(), now=pipeline.now()) is None:
        return False
    day = _tagged_day(entry)
    if day is not None and day >= pipeline.settings.source.start_date:
        uploads.redate(identity, day=day)
    uploads.record_uploaded(
        identity, video_no=entry.video_no, video_name=entry.video_name, adopted=True, at=pipeline.now()
    )
    return True


def _bind(pipeline: Pipeline, sha256: str, entry: Video) -> bool:
    """Make an entry the one of a content; False if another process is at work on it, or it has one."""
    ledger = pipeline.ledger
    for video in ledger.videos.in_state(VideoState.MISSING):
        if video.sha256 == sha256:
            _replace(pipeline, video)
    day = _tagged_day(entry)
    if day is not None and day >= pipeline.settings.source.start_date:
        ledger.replacing.redate(sha256, day=day)
    if ledger.uploads.take(sha256, owner=LeaseOwner.current(), now=pipeline.now()) is None:
        return False
    ledger.uploads.record_uploaded(
        sha256, video_no=entry.video_no, video_name=entry.video_name, adopted=True, at=pipeline.now()
    )
    return True


def _tagged_day(entry: Video) -> date | None:
    for tag in entry.tags:
        if tag.startswith(DAY_TAG_PREFIX):
            try:
                return date.fromisoformat(tag.removeprefix(DAY_TAG_PREFIX))
            except ValueError:
                return None
    return None


def _adopt_equal(pipeline: Pipeline, findings: Iterable[Finding], adopted: list[str]) -> int:
    """Download unknown entries of a fitting size, adopt those whose bytes are a queued content's; say how many came."""
    compared = 0
    for finding in findings:
        entry = finding.entry
        if finding.kind is not Difference.UNKNOWN or finding.sha256 is not None or entry is None:
            continue
        sizes = {
            pipeline.ledger.items.content(upload.sha256).size_bytes: upload.sha256
            for upload in pipeline.ledger.uploads.open()
            if upload.state is UploadState.PENDING
        }
        if entry.status is not VideoStatus.READY or entry.size_bytes not in sizes:
            continue
        sha256 = _downloaded_sha256(pipeline, entry)
        compared += sha256 is not None
        if sha256 is not None and any(upload.sha256 == sha256 for upload in pipeline.ledger.uploads.open()):
            adopted += [entry.video_no] if _bind(pipeline, sha256, entry) else []
    return compared


def _downloaded_sha256(pipeline: Pipeline, entry: Video) -> str | None:
    """The SHA-256 of an entry's bytes, which are read and not kept; None if they cannot be had."""
    cost_usd = pipeline.spending.download_usd(entry.size_bytes)
    try:
        with (
            pipeline.spending.reserving(f"Downloading {entry.video_no} to compare it", cost_usd=cost_usd),
            pipeline.client.open_download(entry.video_no) as stream,
        ):
            for _ in stream:
                pass
            return stream.receipt.sha256
    except VisualSearchError as error:
        stops = stopping_error(pipeline, error)
        if stops is not None:
            raise stops from error
        pipeline.progress.note(f"{entry.video_no} could not be compared: {error}")
        return None


def _queue_missing_again(pipeline: Pipeline, findings: Iterable[Finding]) -> tuple[str, ...]:
    missing = {finding.video_no for finding in findings if finding.kind is Difference.MISSING}
    return tuple(
        video.video_no
        for video in pipeline.ledger.videos.in_state(VideoState.MISSING)
        if video.video_no in missing and video.origin is not VideoOrigin.IMPORT and _replace(pipeline, video)
    )


def _replace(pipeline: Pipeline, video: LibraryVideo) -> bool:
    """Take a missing entry and its rows out of account, and queue its content.

    Its answers are forgotten first and its rows removed next: should this be cut short and the entry come back, it is
    asked about again, and nothing is lost.
    """
    pipeline.ledger.replacing.forget_answers(video.video_no)
    _remove_hits(pipeline, video)
    _remove_segments(pipeline, video)
    return pipeline.ledger.replacing.queue_again(video.video_no, at=pipeline.now())


def _remove_hits(pipeline: Pipeline, video: LibraryVideo) -> None:
    names = {file.query_set for file in pipeline.store.files("hits") if file.day == video.day and file.query_set}
    for name in sorted(names):
        with pipeline.locked(f"hits-{name}-{video.day.isoformat()}"):
            before = pipeline.store.read_hits(name, video.day)
            is_its = pc.equal(before.column("video_no"), video.video_no)
            its = before.filter(is_its)
            if not its.num_rows:
                continue
            searched = {
                SearchedPair(row["query_id"], row["query_version"], row["video_no"])
                for row in its.select(["query_id", "query_version", "video_no"]).to_pylist()
            }
            answer = Answer(searched=searched, arrived=(), answered_at=pipeline.now(), run_id=pipeline.run_id)
            replace_hits(pipeline.store, name, video.day, before.filter(pc.invert(is_its)), answer)


def _remove_segments(pipeline: Pipeline, video: LibraryVideo) -> None:
    for kind in ("transcripts", "captions"):
        with pipeline.locked(f"{kind}-{video.day.isoformat()}"):
            before: pa.Table = pipeline.store.read_day(kind, video.day)
            kept = before.filter(pc.not_equal(before.column("video_no"), video.video_no))
            if kept.num_rows != before.num_rows:
                pipeline.store.write_day(kind, video.day, kept)
