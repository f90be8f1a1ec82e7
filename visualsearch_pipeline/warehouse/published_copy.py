"""The published DuckDB file of an object store, as a copy on this machine that is fetched anew when it was replaced.

DuckDB could read the object in place, with an extension that it downloads first; a copy needs nothing, is as fast as
any local file, and goes on being readable when the network does not. Older copies go when a newer one has come; who
has one open goes on reading it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from visualsearch_pipeline.warehouse.errors import NotPublishedError, ReadError
from visualsearch_pipeline.warehouse.object_store import ObjectStore, is_url
from visualsearch_pipeline.warehouse.storage import fsync_folder

_ATTEMPTS: Final = 5
_SUFFIX: Final = ".duckdb"


@dataclass(frozen=True)
class PublishedCopy:
    """This machine's copy of one published database.

    Args:
        url: Where it is published.
        folder: Where copies are kept; made when needed.
    """

    url: str
    folder: Path
    store: ObjectStore = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", ObjectStore(self.url.rpartition("/")[0]))

    @classmethod
    def of(cls, url: str) -> PublishedCopy:
        """The copy in the user's cache: `$XDG_CACHE_HOME/visualsearch`, else `~/.cache/visualsearch`."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls(url, cache / "visualsearch" / hashlib.sha256(url.encode()).hexdigest()[:16])

    @property
    def name(self) -> str:
        """The database's name in its store."""
        return self.url.rpartition("/")[2]

    def current(self) -> Path | None:
        """A local file with what is published now; None if nothing is. Fetched only if this machine does not have it.

        Raises:
            ObjectStoreError: the store cannot be reached.
            OSError: there is no room for the copy.
        """
        for _ in range(_ATTEMPTS):
            identity = self.store.identity(self.name)
            if identity is None:
                return None
            path = self._path(identity)
            if path.is_file() or self._fetched(identity, path):
                return path
        raise ReadError(
            f"{self.url} was replaced {_ATTEMPTS} times while it was fetched; publish less often than it takes to fetch"
        )

    def replace_by(self, made: Path) -> None:
        """Publish a local file, in one step; it becomes this machine's copy.

        Raises:
            OSError: it could not be published, or it was and this machine's copy could not be kept.
        """
        path = self._path(self.store.upload(made, self.name))
        made.replace(path)
        fsync_folder(self.folder)
        self._drop_others(path)

    def _fetched(self, identity: str, path: Path) -> bool:
        """Fetch what is published; False if it was replaced meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with part.open("xb") as file:
                self.store.download(self.name, file)
                file.flush()
                os.fsync(file.fileno())
            if self.store.identity(self.name) != identity:
                return False
            part.replace(path)
        except FileNotFoundError:
            return False
        finally:
            part.unlink(missing_ok=True)
        self._drop_others(path)
        return True

    def _drop_others(self, path: Path) -> None:
        for other in self.folder.glob(f"*{_SUFFIX}"):
            if other != path:
                other.unlink(missing_ok=True)

    def _path(self, identity: str) -> Path:
        return self.folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}{_SUFFIX}"


def local_file(location: Path | str) -> Path:
    """A published database as a file of this machine: itself, or the copy of what lies in an object store.

    Raises:
        NotPublishedError: there is none.
        ReadError: it cannot be fetched.
    """
    if not is_url(location):
        path = Path(location)
        if not path.is_file():
            raise NotPublishedError(f"nothing is published at {location} yet; run `visualsearch run` first")
        return path
    url = str(location)
    try:
        path_or_none = PublishedCopy.of(url).current()
    except OSError as error:
        raise ReadError(f"cannot fetch {url}: {error}; see to the network, the credentials and the disk") from error
    if path_or_none is None:
        raise NotPublishedError(f"nothing is published at {url} yet; run `visualsearch run` first")
    return path_or_none
