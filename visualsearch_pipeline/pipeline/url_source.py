"""Looking at the list of URLs: what is new, changed, refused or gone. Nothing is fetched and no name is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from visualsearch_pipeline.ledger import UploadState, UrlSighting, UrlUpload
from visualsearch_pipeline.media import DiscoveryProblem, InvalidPattern, SourceUnavailable
from visualsearch_pipeline.media.private_addresses import Resolve, addresses_of, why_private
from visualsearch_pipeline.media.url_list import ListedUrl, UrlList, day_of_url, read_url_list
from visualsearch_pipeline.pipeline.errors import SourceProblem
from visualsearch_pipeline.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class UrlListReport:
    """What a look at the list of URLs found. `problems` are lines, or the list as a whole, that cannot be used."""

    urls: int = 0
    new: int = 0
    gone: int = 0
    problems: tuple[DiscoveryProblem, ...] = ()


def look_at_urls(pipeline: Pipeline, *, now: datetime) -> UrlListReport:
    """Keep in the ledger what the list of URLs names.

    A list that cannot be read is a problem and changes nothing: no URL is taken for gone.

    Raises:
        SourceProblem: `source.partition_by` cannot be used.
    """
    source = pipeline.settings.source
    known = pipeline.ledger.url_uploads.all_by_identity()
    if source.urls is None:
        listed = UrlList((), (), 0)
    else:
        try:
            listed = read_url_list(source.urls, storage_options=pipeline.storage_options)
        except SourceUnavailable as error:
            return UrlListReport(problems=(DiscoveryProblem(source.urls, str(error)),))
    sightings = [
        sighting
        for url in listed.urls
        if (sighting := _sighting(pipeline, url, known.get(url.url.identity), now=now)) is not None
    ]
    here = {url.url.identity for url in listed.urls}
    gone = [identity for identity, upload in known.items() if upload.is_wanted and identity not in here]
    if sightings or gone:
        pipeline.ledger.url_uploads.record_sightings(sightings, gone=gone, seen_at=now)
    return UrlListReport(
        urls=len(listed.urls),
        new=sum(sighting.identity not in known for sighting in sightings),
        gone=len(gone),
        problems=tuple(DiscoveryProblem(problem.place, problem.reason) for problem in listed.problems),
    )


def refusal_of(pipeline: Pipeline, listed: ListedUrl, *, look_up: bool = False) -> str | None:
    """Why a URL is not to be sent, in words; None if it may be.

    Args:
        pipeline: The run.
        listed: The URL.
        look_up: Whether to ask for the addresses of its name here, which may take a while.
    """
    if pipeline.settings.source.allow_private_addresses:
        return None
    resolve: Resolve | None = addresses_of if look_up else None
    why = why_private(listed.url.host, resolve=resolve)
    if why is None:
        return None
    return (
        f"{listed.place}: {why}. The service fetches from its own network, where that is something else; take the line "
        "out, or set `source.allow_private_addresses: true` if your service stands in this network"
    )


def _sighting(pipeline: Pipeline, listed: ListedUrl, before: UrlUpload | None, *, now: datetime) -> UrlSighting | None:
    """What to keep of a line; None if the ledger has it so already."""
    source = pipeline.settings.source
    day = before.day if before else _first_day(listed, partition_by=source.partition_by, now=now)
    is_wanted = day >= source.start_date
    refusal = refusal_of(pipeline, listed)
    state = _next_state(before, refusal)
    reason = refusal if state is UploadState.REFUSED else None
    if not is_wanted:
        reason = f"its day {day} is before source.start_date {source.start_date}"
    if before is not None and state is None:
        kept = (before.name, tuple(before.tags), before.place, before.is_wanted)
        if kept == (listed.name, listed.tags, listed.place, is_wanted):
            return None
    return UrlSighting(
        identity=listed.url.identity,
        uri=listed.url.shown,
        name=listed.name,
        day=day,
        tags=listed.tags,
        place=listed.place,
        is_wanted=is_wanted,
        state=state,
        reason=reason,
    )


def _next_state(before: UrlUpload | None, refusal: str | None) -> UploadState | None:
    """The state that a look puts an upload into; None leaves it as it is."""
    allowed = UploadState.REFUSED if refusal else UploadState.PENDING
    if before is None:
        return allowed
    if before.state is UploadState.PENDING:
        return UploadState.REFUSED if refusal else None
    if before.state is UploadState.REFUSED and not refusal:
        # What we refused ourselves may be allowed now; what the service refused is tried again if it was taken out
        # of the list and put back.
        is_ours = before.attempts == 0
        return UploadState.PENDING if is_ours or not before.is_wanted else None
    return None


def _first_day(listed: ListedUrl, *, partition_by: str, now: datetime) -> date:
    try:
        return day_of_url(listed, partition_by=partition_by, seen_at=now)
    except InvalidPattern as error:
        raise SourceProblem(f"`source.partition_by`: {error}") from error
