"""Looking for what would go wrong before it does: one check per thing, each with what was found and what to do.

Nothing is changed, nothing is billed, and no check shows the key.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import httpx

import visualsearch_pipeline
from visualsearch_pipeline import media
from visualsearch_pipeline.api import (
    AuthenticationError,
    FolderScope,
    InvalidInput,
    UniqueIdScope,
    VisualSearchError,
)
from visualsearch_pipeline.api.api_key import ApiKey
from visualsearch_pipeline.ledger import Ledger, LedgerError
from visualsearch_pipeline.ledger.schema import SCHEMA_VERSION
from visualsearch_pipeline.located_yaml import YamlFileError
from visualsearch_pipeline.media import InvalidPattern, SourceUnavailable
from visualsearch_pipeline.media.imports_file import read_imports
from visualsearch_pipeline.media.url_list import read_url_list
from visualsearch_pipeline.pipeline.durations import in_words
from visualsearch_pipeline.pipeline.reconciling import CLOCK_SKEW
from visualsearch_pipeline.pipeline.scope_check import OpenClient, check_scope
from visualsearch_pipeline.queries import load_query_sets
from visualsearch_pipeline.settings import API_KEY_VARIABLE, Settings, SettingsError, read_api_key

_NOTABLE_SKEW_SECONDS: Final = 60
_LEAST_FREE_BYTES: Final = 500_000_000
_BYTES_PER_GIGABYTE: Final = 1_000_000_000
_SHOWN_VERSIONS: Final = ("dagster", "duckdb", "httpx", "pyarrow", "av", "sqlalchemy")
_DAGSTER_SERIES: Final = "1.13."


class Level(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `remedy` says what to do, where there is something to do."""

    name: str
    level: Level
    found: str
    remedy: str | None = None


def check_environment(environ: Mapping[str, str]) -> Iterator[Check]:
    """What can be known without settings: versions, Dagster's home, and the shape of the key."""
    yield _versions()
    yield _dagster_home(environ)
    yield _key_shape(environ)


def check_project(settings: Settings) -> Iterator[Check]:
    """What the settings name on this machine: query files, source, ledger, limits, disk."""
    yield from _queries(settings)
    yield _source(settings)
    yield from _lists(settings)
    yield _ledger(settings)
    yield _limits(settings)
    yield _disk(settings)


def check_service(
    settings: Settings, *, open_client: OpenClient, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[Check]:
    """What the service says: whether it answers, what time it is there, whether it takes the key, what is in the scope.

    Args:
        settings: the settings.
        open_client: opens a client for a scope.
        clock: our time, aware.
    """
    reached = _clock(settings, clock=clock)
    yield reached
    if reached.level is Level.FAILED and reached.name == "service":
        return
    yield from _key_and_scope(settings, open_client=open_client)


def _versions() -> Check:
    found = {name: _version_of(name) for name in _SHOWN_VERSIONS}
    text = ", ".join(
        [
            f"visualsearch {visualsearch_pipeline.__version__}",
            f"Python {platform.python_version()}",
            *(f"{name} {number}" for name, number in found.items()),
            f"ledger schema {SCHEMA_VERSION}",
        ]
    )
    if not found["dagster"].startswith(_DAGSTER_SERIES):
        remedy = f"This version was made for dagster {_DAGSTER_SERIES}x: pip install -r requirements.txt."
        return Check("versions", Level.WARNING, text, remedy)
    return Check("versions", Level.OK, text)


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def _dagster_home(environ: Mapping[str, str]) -> Check:
    home = environ.get("DAGSTER_HOME")
    if not home:
        return Check("DAGSTER_HOME", Level.OK, "not set: runs are kept in the state folder")
    path = Path(home)
    if not path.is_absolute():
        return Check("DAGSTER_HOME", Level.FAILED, f"{home!r} is relative", "Dagster wants an absolute path.")
    if not path.is_dir():
        return Check("DAGSTER_HOME", Level.WARNING, f"there is no folder {home}", "Make it, or correct the path.")
    if not (path / "dagster.yaml").exists():
        remedy = "Copy the project's dagster.yaml there, or run `visualsearch run` once."
        return Check("DAGSTER_HOME", Level.WARNING, f"{home} has no dagster.yaml", remedy)
    return Check("DAGSTER_HOME", Level.OK, home)


def _key_shape(environ: Mapping[str, str]) -> Check:
    try:
        ApiKey(read_api_key(environ=environ))
    except (SettingsError, InvalidInput) as error:
        return Check("key", Level.FAILED, f"{API_KEY_VARIABLE} cannot be right", str(error))
    return Check("key", Level.OK, f"{API_KEY_VARIABLE} looks like one")


def _queries(settings: Settings) -> Iterator[Check]:
    catalog = load_query_sets(settings.queries)
    broken = [str(found) for found in catalog.broken]
    broken += [
        f"{query_set.path}, line {query.line}: {query.reason}"
        for query_set in catalog.sets
        for query in query_set.broken
    ]
    for text in broken:
        yield Check("queries", Level.FAILED, "a saved query cannot be asked", text)
    if catalog.note is not None:
        yield Check("queries", Level.WARNING, "no saved queries", catalog.note)
    elif not broken:
        count = sum(len(query_set.queries) for query_set in catalog.sets)
        yield Check("queries", Level.OK, f"{count} in {len(catalog.sets)} files")


def _source(settings: Settings) -> Check:
    source = settings.source
    if source.path is None:
        return Check("source", Level.OK, "no folder; the service fetches what `source.urls` lists")
    try:
        found = media.discover(
            source.path, include=source.include, exclude=source.exclude, storage_options=source.storage_options
        )
    except (SourceUnavailable, InvalidPattern) as error:
        return Check("source", Level.FAILED, source.path, str(error))
    if found.problems:
        first = found.problems[0]
        return Check(
            "source", Level.WARNING, f"{len(found.problems)} parts cannot be read", f"{first.uri}: {first.reason}"
        )
    if not found.files:
        return Check(
            "source",
            Level.WARNING,
            f"{source.path} holds no file that `source.include` names",
            "Correct the path or the patterns.",
        )
    return Check("source", Level.OK, f"{len(found.files)} files in {source.path}")


def _lists(settings: Settings) -> Iterator[Check]:
    """The list of URLs and the file of imports, as far as the settings name them."""
    if settings.source.urls is not None:
        try:
            listed = read_url_list(settings.source.urls, storage_options=settings.source.storage_options)
        except SourceUnavailable as error:
            yield Check("urls", Level.FAILED, settings.source.urls, str(error))
        else:
            first = next(iter(listed.problems), None)
            said = f"{len(listed.urls)} URLs in {settings.source.urls}"
            bad = (
                None if first is None else f"{len(listed.problems)} lines cannot be used: {first.place} {first.reason}"
            )
            yield Check("urls", Level.WARNING if bad else Level.OK, said, bad)
    if settings.imports is not None:
        try:
            entries = read_imports(settings.imports)
        except YamlFileError as error:
            yield Check("imports", Level.FAILED, str(settings.imports), str(error))
        else:
            yield Check("imports", Level.OK, f"{len(entries)} in {settings.imports}")


def _ledger(settings: Settings) -> Check:
    if settings.ledger_url is None and not (settings.state / "ledger.db").exists():
        return Check("ledger", Level.OK, "none yet; the first run makes it")
    try:
        with Ledger(settings.ledger_database_url) as ledger:
            failures = len(ledger.failures.unresolved())
    except LedgerError as error:
        return Check("ledger", Level.FAILED, "cannot be used", str(error))
    return Check("ledger", Level.OK, f"opens; open failures: {failures}")


def _limits(settings: Settings) -> Check:
    if settings.api.rate_limits == "unlimited":
        return Check("rate limits", Level.OK, "unlimited: nothing is shared between processes")
    if settings.limits_url is not None:
        return _limits_of_machines(settings, settings.limits_url)
    folder = settings.limits_path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "Mend its permissions or make room: without it no call can start."
        return Check("rate limits", Level.FAILED, f"{folder} cannot be written: {error.strerror or error}", remedy)
    for file in folder.glob("*.db"):
        if not os.access(file, os.R_OK | os.W_OK):
            return Check("rate limits", Level.FAILED, f"{file} cannot be written", "Mend its permissions.")
    return Check("rate limits", Level.OK, f"kept in {folder}")


def _limits_of_machines(settings: Settings, url: str) -> Check:
    from sqlalchemy.exc import DBAPIError

    from visualsearch_pipeline.api.postgresql_limiter_state import PostgresqlLimiterState

    state = PostgresqlLimiterState(url)
    try:
        with state.transaction("doctor"):
            pass
    except DBAPIError as error:
        remedy = "Make the database, or mend its address or permissions: without it no call can start."
        return Check("rate limits", Level.FAILED, f"{url} cannot be used: {error.orig}".strip(), remedy)
    finally:
        state.close()
    place = "with the ledger" if url == settings.ledger_url else f"in {url}"
    return Check("rate limits", Level.OK, f"kept {place}, for all machines")


def _disk(settings: Settings) -> Check:
    coming = _bytes_to_come(settings)
    root = settings.archive_root.removeprefix("file://")
    places = {settings.state} if "://" in root else {settings.state, Path(root)}
    try:
        free = min(shutil.disk_usage(_existing(place)).free for place in places)
    except OSError as error:
        return Check("disk", Level.FAILED, f"cannot be asked: {error.strerror or error}", "Mend the state folder.")
    text = f"{free / _BYTES_PER_GIGABYTE:.1f} GB free, {coming / _BYTES_PER_GIGABYTE:.1f} GB of originals to come"
    if free < _LEAST_FREE_BYTES:
        return Check("disk", Level.FAILED, text, "Make room: the ledger and the tables have to be written.")
    if free < coming + _LEAST_FREE_BYTES:
        return Check("disk", Level.WARNING, text, "Make room, move `archive.path`, or set `archive.videos: false`.")
    return Check("disk", Level.OK, text)


def _bytes_to_come(settings: Settings) -> int:
    if not settings.archive.videos or (settings.ledger_url is None and not (settings.state / "ledger.db").exists()):
        return 0
    try:
        with Ledger(settings.ledger_database_url) as ledger:
            videos = (*ledger.fetches.unarchived_videos(), *ledger.videos.open())
            awaited = [*(video.sha256 for video in videos), *(upload.sha256 for upload in ledger.uploads.open())]
            fetched = [video.size_bytes or settings.budget.unseen_video_bytes for video in videos if not video.sha256]
            return sum(fetched) + sum(ledger.items.content(sha256).size_bytes for sha256 in awaited if sha256)
    except LedgerError:
        return 0  # told by its own check


def _existing(path: Path) -> Path:
    return next((place for place in (path, *path.parents) if place.exists()), Path("/"))


def _clock(settings: Settings, *, clock: Callable[[], datetime]) -> Check:
    """Compare the service's clock with ours, by a request without a key that also shows whether anybody answers."""
    url = settings.api.base_url
    before = clock()
    try:
        response = httpx.get(url, timeout=settings.api.timeouts.connect_seconds)
    except httpx.HTTPError as error:
        remedy = "Check `api.base_url`, the network and the proxy."
        return Check("service", Level.FAILED, f"{url} does not answer ({type(error).__name__})", remedy)
    middle = before + (clock() - before) / 2
    try:
        theirs = parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return Check("clock", Level.WARNING, f"{url} answers, and does not say what time it is there")
    # Whole seconds are all that the header has.
    skew = (middle - theirs).total_seconds()
    text = f"{url} answers; the clocks are {in_words(abs(skew))} apart"
    if abs(skew) > CLOCK_SKEW.total_seconds():
        remedy = "Set this machine's clock (NTP): uploads whose answer was lost are looked for by time."
        return Check("clock", Level.FAILED, text, remedy)
    if abs(skew) > _NOTABLE_SKEW_SECONDS:
        return Check("clock", Level.WARNING, text, "Set this machine's clock (NTP).")
    return Check("clock", Level.OK, text)


def _key_and_scope(settings: Settings, *, open_client: OpenClient) -> Iterator[Check]:
    wanted = settings.api.scope
    scope = FolderScope(wanted.folder_id) if wanted.folder_id is not None else UniqueIdScope(wanted.unique_id or "")
    try:
        report = check_scope(scope, open_client=open_client)
    except AuthenticationError as error:
        yield Check("key accepted", Level.FAILED, "the service refuses the key", str(error))
        return
    except VisualSearchError as error:
        yield Check("key accepted", Level.FAILED, "the service could not be asked", str(error))
        return
    yield Check("key accepted", Level.OK, "by a listing, which costs nothing")
    remedy = None
    if report.others:
        remedy = f"Videos are in {', '.join(map(str, report.others[:5]))}."
        remedy += f" Write `{report.setting}` if that is meant." if report.setting else ""
    if report.speaks_other_style:
        style = "folders, not namespaces" if isinstance(scope, UniqueIdScope) else "namespaces, not folders"
        example = "folder_id: -1" if isinstance(scope, UniqueIdScope) else "unique_id: default"
        yield Check(
            "scope",
            Level.FAILED,
            f"this service knows {style}",
            remedy or f"Write `api: {{scope: {{{example}}}}}`.",
        )
    elif report.videos is None and isinstance(scope, FolderScope):
        yield Check("scope", Level.FAILED, f"{scope} does not exist in this account", remedy or "Name one that does.")
    elif report.looks_wrong:
        yield Check("scope", Level.WARNING, f"{scope} holds no videos, others do", remedy)
    else:
        yield Check("scope", Level.OK, f"{scope}: {report.videos or 0} videos")
