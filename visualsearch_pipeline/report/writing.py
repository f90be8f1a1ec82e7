"""Writing the report: everything new beside everything old, and one rename that makes it the report.

    report/index.html              names the build it shows; replaced last, by rename
    report/build-<hash>/           the page's scripts, styles and data; never changed once it has this name
    report/pictures/<hash>.jpg     never changed; shared by all builds

A process killed at any moment leaves the earlier report or the new one, each with all of its files.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import filelock

from visualsearch_pipeline.report.contents import read_contents
from visualsearch_pipeline.report.errors import ReportBusyError, ReportDestinationError
from visualsearch_pipeline.report.page_data import page_data
from visualsearch_pipeline.report.pictures import make_pictures
from visualsearch_pipeline.report.rendering import GENERATOR, render_index
from visualsearch_pipeline.warehouse.storage import fsync_folder

LOCK_TIMEOUT_SECONDS: Final = 600.0
MAX_HITS: Final = 20_000
"""What a browser keeps smooth on a phone; the tables in DuckDB have no such bound."""

_PICTURES: Final = "pictures"
_BUILD: Final = re.compile(r"build-[0-9a-f]{16}")
_ASSETS: Final = (
    "report.css",
    "store.js",
    "format.js",
    "filters.js",
    "gallery.js",
    "player.js",
    "plots.js",
    "tables.js",
    "page.js",
    "vendor/uPlot.iife.min.js",
    "vendor/uPlot.min.css",
    "vendor/uPlot.LICENSE",
    "vendor/virtual-core.iife.min.js",
    "vendor/virtual-core.LICENSE",
    "vendor/versions.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A written report.

    Attributes:
        path: The page to open.
        hits: How many hits it shows.
        hits_total: How many the database has; more than `hits` where `max_hits` left some out.
        pictures: How many of the shown hits have a picture.
        changed: False where the standing report already showed all this and was left alone.
    """

    path: Path
    hits: int
    hits_total: int
    pictures: int
    changed: bool


def write_report(
    database_path: Path | str,
    destination: Path,
    *,
    archive_root: str | None,
    title: str = "Visual search",
    max_hits: int = MAX_HITS,
    pictures_seconds: float = 300.0,
    picture_workers: int = 4,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
) -> Report:
    """Write a page that shows the published hits, into a folder that works from a `file:` URL, without network.

    Shown are the queries as they are asked today. The folder holds its own small pictures; videos are played from
    the archive, by relative links where archive and report lie below a common folder, so that both can move together.

    Args:
        database_path: The published DuckDB file.
        destination: The report's folder; made if it is not there. Files that are not the report's are left alone.
        archive_root: The archive's folder or URL, as in the settings; None where there is none.
        title: What the page is called.
        max_hits: How many hits it shows at most; each query gets the same share, its best scores first.
        pictures_seconds: No picture is begun after this time; the next report goes on with the rest.
        picture_workers: Threads that make pictures.
        lock_timeout_seconds: How long to wait for another writer of the same report.

    Raises:
        NotPublishedError: there is no database yet.
        ReadError: the database cannot be opened.
        ReportDestinationError: the folder cannot be written, or its `index.html` is not a report.
        ReportBusyError: another process held the folder for too long. In every case the earlier report stands.
    """
    folder = destination.absolute()
    contents = read_contents(database_path, max_hits=max_hits)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / ".report.lock", timeout=lock_timeout_seconds):
            standing = _standing_build(folder)
            sources = [hit.picture for hit in contents.hits if hit.picture is not None]
            pictures = make_pictures(
                sources, folder / _PICTURES, time_limit_seconds=pictures_seconds, workers=picture_workers
            )
            data = page_data(contents, pictures=pictures, page_folder=folder, archive_root=archive_root)
            build = _write_build(folder, {**_assets(), **data})
            index = render_index(contents, title=title, build=build, data_scripts=tuple(data))
            changed = _replace_if_other(folder / "index.html", index)
            _sweep(folder, builds={build, standing}, pictures=set(pictures.values()))
    except filelock.Timeout as error:
        message = f"another process has been writing the report {folder} for more than {lock_timeout_seconds:g} s"
        raise ReportBusyError(f"{message}; wait for it, or end it") from error
    except OSError as error:
        message = f"cannot write the report {folder}: {error.strerror or error}. The earlier report, if any, stands"
        raise ReportDestinationError(f"{message}; make room, mend the permissions, or name another folder") from error
    return Report(
        path=folder / "index.html",
        hits=len(contents.hits),
        hits_total=contents.hits_total,
        pictures=sum(source in pictures for source in sources),
        changed=changed,
    )


def _assets() -> dict[str, bytes]:
    page = files("visualsearch_pipeline.report") / "page"
    return {name: page.joinpath(name).read_bytes() for name in _ASSETS}


def _standing_build(folder: Path) -> str | None:
    """The build that the standing page shows; None if there is no page."""
    index = folder / "index.html"
    try:
        text = index.read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        text = ""
    if GENERATOR not in text:
        raise ReportDestinationError(
            f"{index} is there and is not a report of this program; name another folder, or move that file away"
        )
    found = _BUILD.search(text)
    return found.group() if found else None


def _write_build(folder: Path, contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    build = f"build-{digest.hexdigest()[:16]}"
    if (folder / build).is_dir():
        return build
    temporary = folder / f".{build}.{os.getpid()}.{secrets.token_hex(4)}.part"
    try:
        for name, content in contents.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_through(path, content)
        temporary.rename(folder / build)
        fsync_folder(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return build


def _replace_if_other(path: Path, text: str) -> bool:
    content = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == content:
        return False
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        _write_through(temporary, content)
        temporary.replace(path)
        fsync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _write_through(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sweep(folder: Path, *, builds: set[str | None], pictures: set[str]) -> None:
    """Remove what nothing shows any more. The build shown before stays: someone may have just opened its page."""
    for entry in folder.iterdir():
        if (_BUILD.fullmatch(entry.name) and entry.name not in builds) or _is_leftover(entry):
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
    for entry in (folder / _PICTURES).iterdir():
        if _is_leftover(entry) or (entry.suffix == ".jpg" and entry.name not in pictures):
            entry.unlink(missing_ok=True)


def _is_leftover(path: Path) -> bool:
    """Whoever left it is dead: the lock is ours."""
    return path.name.startswith(".") and path.name.endswith(".part")
