"""What the service called back to say: hints, kept until the service itself has been asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from visualsearch_pipeline.ledger.database import Database, columns_of, read_all
from visualsearch_pipeline.ledger.schema import notices

NoticeKind: TypeAlias = Literal["video", "task", "unknown"]
"""What a notice is about: a library entry, an import, or nothing that we know."""

NoticeOutcome: TypeAlias = Literal["confirmed", "pending", "unknown"]
"""What the service itself said when it was asked: finished, still working, or nothing of the sort."""


@dataclass(frozen=True)
class Notice:
    """One thing that was said, however often it was delivered.

    Attributes:
        digest: SHA-256 of the canonical body; two deliveries with the same digest say the same.
        kind: What it is about.
        subject: The `video_no` or the task's id.
        claimed_status: The status it claims; never believed.
        body: The delivery as JSON text.
        received_at: When it was first delivered.
        last_received_at: When it was last delivered.
        times_received: How often it was delivered.
        read_at: When the service was asked about its subject.
        outcome: What the service said then.
    """

    digest: str
    kind: NoticeKind
    subject: str | None
    claimed_status: str | None
    body: str
    received_at: datetime
    last_received_at: datetime
    times_received: int = 1
    read_at: datetime | None = None
    outcome: NoticeOutcome | None = None


_COLUMNS = columns_of(notices, Notice)


class Notices:
    """The part of the ledger that keeps what was called back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def receive(self, notice: Notice, *, unread_limit: int) -> bool:
        """Keep a notice, or count it if it is known already.

        A notice that was read stays read: delivered again it says nothing new, and polling is the net under all of it.

        Args:
            notice: as just delivered.
            unread_limit: how many notices may wait to be read.

        Returns:
            False if so many wait that this one was not kept.
        """
        with self._database.writing() as connection:
            if _count_again(connection, notice):
                return True
            unread = sa.select(sa.func.count()).select_from(notices).where(notices.c.read_at.is_(None))
            if connection.execute(unread).scalar_one() >= unread_limit:
                return False
            try:
                with connection.begin_nested():
                    connection.execute(notices.insert().values(**vars(notice)))
            except IntegrityError:
                # The same was delivered twice at once, and the other delivery was first.
                _count_again(connection, notice)
            return True

    def unread(self, kind: NoticeKind) -> tuple[Notice, ...]:
        """What was said of one kind of subject since the service was last asked, oldest first."""
        select = sa.select(*_COLUMNS).where(notices.c.read_at.is_(None), notices.c.kind == kind)
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(notices.c.received_at, notices.c.digest), Notice)

    def mark_read(self, digests: Iterable[str], *, outcome: NoticeOutcome, at: datetime) -> None:
        """Record what the service said when it was asked about the subjects of these notices."""
        update = sa.update(notices).where(notices.c.digest == sa.bindparam("read_digest"))
        rows = [{"read_digest": digest} for digest in digests]
        if not rows:
            return
        with self._database.writing() as connection:
            connection.execute(update.values(read_at=at, outcome=outcome), rows)


def _count_again(connection: Connection, notice: Notice) -> bool:
    update = sa.update(notices).where(notices.c.digest == notice.digest)
    counted = connection.execute(
        update.values(
            last_received_at=notice.last_received_at,
            times_received=notices.c.times_received + notice.times_received,
        )
    )
    return counted.rowcount > 0
