"""Reading the list of URLs that the service is to fetch: text, CSV or JSON Lines, in git or anywhere fsspec reaches.

    .txt             one URL a line; what begins with `#` is a comment
    .csv             with a header: url, and day, name, tags (divided by `;`) as wished
    .jsonl, .ndjson  one object a line with the same keys; tags is a list

A line that cannot be used is a problem with its place and stops no other. Of several lines with the same URL the first
counts.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Final

from visualsearch_pipeline.media.errors import SourceUnavailable
from visualsearch_pipeline.media.filesystem import StorageOptions, filesystem_of
from visualsearch_pipeline.media.media_url import MediaUrl, UnusableUrl
from visualsearch_pipeline.media.partitioning import PathDate

MAX_OWN_TAGS: Final = 17
"""The service takes 20 tags (contract §3); three of them say which URL, which day and that it was a URL."""

RESERVED_TAG_PREFIXES: Final = ("sha256:", "url:", "day:", "origin:")

_KEYS: Final = ("url", "day", "name", "tags")
_LONGEST_TAG: Final = 200


@dataclass(frozen=True)
class ListedUrl:
    """One line of the list.

    Attributes:
        url: The address.
        place: File and line, such as `urls.txt:12`.
        day: The day that the list gives it, if any.
        name: What it is called: the list's word, or else the last part of the address.
        tags: Those that the list gives it.
    """

    url: MediaUrl
    place: str
    day: date | None
    name: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class UrlListProblem:
    """A line that cannot be used.

    Attributes:
        place: File and line.
        reason: Why, and what to do. Shows nothing that may be secret.
    """

    place: str
    reason: str


@dataclass(frozen=True)
class UrlList:
    """What a list holds: each address once, the lines that cannot be used, and how many only repeat another."""

    urls: tuple[ListedUrl, ...]
    problems: tuple[UrlListProblem, ...]
    repeated: int


class _Unusable(ValueError):  # noqa: N818  says what it is, as `UnusableUrl` does
    """Why a line cannot be used."""


def read_url_list(path: str, *, storage_options: StorageOptions | None = None) -> UrlList:
    """Read a list of URLs.

    Args:
        path: A local path or any fsspec URL; its extension tells the format.
        storage_options: What fsspec needs beyond it.

    Raises:
        SourceUnavailable: The list is not there, cannot be read as text, or has no `url` column.
    """
    text = _text(path, storage_options)
    file_name = PurePosixPath(path).name
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".csv":
        rows = _csv_rows(path, text)
    elif suffix in (".jsonl", ".ndjson"):
        rows = _json_rows(text)
    else:
        rows = _text_rows(text)
    found: dict[str, ListedUrl] = {}
    problems: list[UrlListProblem] = []
    repeated = 0
    for line, row in rows:
        place = f"{file_name}:{line}"
        try:
            listed = _listed(row, place)
        except (_Unusable, UnusableUrl) as error:
            problems.append(UrlListProblem(place, str(error)))
            continue
        if listed.url.identity in found:
            repeated += 1
        else:
            found[listed.url.identity] = listed
    return UrlList(tuple(found.values()), tuple(problems), repeated)


def day_of_url(listed: ListedUrl, *, partition_by: str, seen_at: datetime) -> date:
    """The day of a URL: the list's own, else the date in its path if `partition_by` is a pattern, else the arrival.

    A day ahead of the arrival has no partition yet; the day of arrival stands in, as for files.

    Raises:
        InvalidPattern: `partition_by` is none of `modified`, `arrival` and a date pattern.
    """
    arrival = seen_at.astimezone(UTC).date()
    day = listed.day
    if day is None and partition_by not in ("modified", "arrival"):
        day = PathDate.parse(partition_by).find(listed.url.shown.partition("?")[0])
    return arrival if day is None or day > arrival else day


def _text(path: str, storage_options: StorageOptions | None) -> str:
    filesystem, place = filesystem_of(path, storage_options=storage_options)
    filesystem.invalidate_cache()
    try:
        with filesystem.open(place, "rb") as file:
            return bytes(file.read()).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise SourceUnavailable(path, problem="it does not exist; create it or correct `source.urls`.") from error
    except UnicodeDecodeError as error:
        raise SourceUnavailable(path, problem=f"it is not UTF-8 text ({error.reason}).") from error
    except OSError as error:
        raise SourceUnavailable(path, problem=f"{error.strerror or error}.") from error


def _text_rows(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, {"url": line.strip()}


def _csv_rows(path: str, text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", skipinitialspace=True)
    columns = [name.strip() for name in reader.fieldnames or ()]
    unknown = sorted(set(columns) - set(_KEYS))
    if "url" not in columns or unknown:
        said = f"its first line has the column {unknown[0]!r}" if unknown else "its first line has no column `url`"
        raise SourceUnavailable(path, problem=f"{said}; the columns are url, day, name and tags.")
    reader.fieldnames = columns
    for row in reader:
        if "" in row:
            yield reader.line_num, {"": row[""]}
            continue
        given: dict[str, object] = {key: value.strip() for key, value in row.items() if value and value.strip()}
        if "tags" in given:
            given["tags"] = [tag.strip() for tag in str(given["tags"]).split(";") if tag.strip()]
        if given:
            yield reader.line_num, given


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    # Not `splitlines`: a JSON text may hold a line separator that only Python takes for an end of line.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        yield number, row if isinstance(row, dict) else {"": line}


def _listed(row: Mapping[str, object], place: str) -> ListedUrl:
    if "" in row:
        raise _Unusable("cannot be read: it is no JSON object, or has more fields than the header")
    unknown = sorted(set(row) - set(_KEYS))
    if unknown:
        raise _Unusable(f"has the key {unknown[0]!r}; the keys are url, day, name and tags")
    url = row.get("url")
    if not isinstance(url, str) or not url.strip():
        raise _Unusable("has no url")
    address = MediaUrl.parse(url.strip())
    return ListedUrl(
        address, place, _day(row.get("day")), _name(row.get("name")) or address.name, _tags(row.get("tags"))
    )


def _day(value: object) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise _Unusable(f"has the day {str(value)[:40]!r}; write it like 2026-01-31") from None


def _name(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _Unusable("has a name that is no text")
    return value.strip() or None if value else None


def _tags(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(tag, str) and tag.strip() for tag in value):
        raise _Unusable("has tags that are not a list of texts")
    tags = tuple(dict.fromkeys(tag.strip() for tag in value))
    if len(tags) > MAX_OWN_TAGS:
        raise _Unusable(f"has {len(tags)} tags; at most {MAX_OWN_TAGS} go with the three that we add")
    for tag in tags:
        if tag.startswith(RESERVED_TAG_PREFIXES):
            raise _Unusable(f"has the tag {tag[:40]!r}; tags that begin so are ours")
        if len(tag) > _LONGEST_TAG:
            raise _Unusable(f"has a tag of {len(tag)} characters; at most {_LONGEST_TAG} are sent")
    return tags
