"""Folders of an account (contract §2.19)."""

from sqlalchemy import delete, func, insert, select, update

from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.database import Database
from visualsearch_pipeline.sandbox.state.entries import Status
from visualsearch_pipeline.sandbox.state.library import Library

_FOLDER = tables.folders.c


class Folders:
    """Named folders with int64 ids above 2^53. The Default folder (-1) always exists and is not among them."""

    def __init__(self, database: Database, library: Library) -> None:
        self._database = database
        self._library = library

    def all(self, account: str) -> list[tuple[int, str]]:
        """Ids and names, oldest first."""
        with self._database.read() as connection:
            query = select(_FOLDER.folder_id, _FOLDER.name).where(_FOLDER.account == account)
            rows = connection.execute(query.order_by(_FOLDER.folder_id))
            return [(folder_id, name) for folder_id, name in rows]

    def exists(self, account: str, folder_id: int) -> bool:
        """Whether a folder belongs to the account."""
        return any(known == folder_id for known, _ in self.all(account))

    def create(self, account: str, name: str, *, now_ms: int) -> int:
        """Make a folder and return its id. The caller has made sure that the name is free."""
        with self._database.write() as connection:
            folder_id = self._library.next_id(connection, now_ms=now_ms)
            connection.execute(insert(tables.folders).values(folder_id=folder_id, account=account, name=name))
            return folder_id

    def rename(self, folder_id: int, name: str) -> None:
        """Give a folder another name."""
        with self._database.write() as connection:
            connection.execute(update(tables.folders).where(_FOLDER.folder_id == folder_id).values(name=name))

    def holds_parsed(self, folder_id: int) -> bool:
        """Whether a parsed video lies in the folder."""
        video = tables.videos.c
        with self._database.read() as connection:
            query = select(func.count()).where(video.folder_id == folder_id, video.status == Status.PARSE)
            return connection.execute(query).scalar_one() > 0

    def delete(self, folder_id: int) -> None:
        """Delete a folder; what is left in it goes to the Default folder."""
        with self._database.write() as connection:
            videos, images = tables.videos, tables.images
            connection.execute(update(videos).where(videos.c.folder_id == folder_id).values(folder_id=-1))
            connection.execute(update(images).where(images.c.folder_id == folder_id).values(folder_id=-1))
            connection.execute(delete(tables.folders).where(_FOLDER.folder_id == folder_id))
