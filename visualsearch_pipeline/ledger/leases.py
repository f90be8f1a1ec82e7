"""Who holds a piece of work, and whether the holder still lives.

A lease is a name and an expiry. On the holder's own host a dead process is noticed at once (by its process id and start
time, so that a reused id does not count as alive); elsewhere only the expiry tells.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

import psutil

from visualsearch_pipeline.ledger.states import UploadState

LEASE_DURATION: Final = timedelta(minutes=30)
"""How long a holder on another host is believed to live without a sign. Longer than the slowest single transfer's
heartbeat (leases are renewed while bytes move)."""


@dataclass(frozen=True)
class LeasedUpload:
    """How far an upload of any kind is: what has to be known to make it happen once.

    Attributes:
        state: How far.
        lease_owner: Who works on it, as `str(LeaseOwner)`.
        lease_expires_at: Until when nobody else may, if the owner is on another host.
        intended_at: When the first call that may have taken effect was decided on.
        attempted_at: When the last such call was.
    """

    state: UploadState
    lease_owner: str | None
    lease_expires_at: datetime | None
    intended_at: datetime | None
    attempted_at: datetime | None


@dataclass(frozen=True)
class LeaseOwner:
    """One process on one host."""

    host: str
    process_id: int
    started_at: float
    """Seconds since the epoch, as the operating system tells it."""

    @classmethod
    def current(cls) -> Self:
        """The process that asks."""
        process = psutil.Process()
        return cls(host=socket.gethostname(), process_id=os.getpid(), started_at=process.create_time())

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str()`."""
        host, process_id, started_at = text.rsplit("/", 2)
        return cls(host=host, process_id=int(process_id), started_at=float(started_at))

    def __str__(self) -> str:
        return f"{self.host}/{self.process_id}/{self.started_at}"

    @property
    def is_local(self) -> bool:
        """Whether this owner runs, or ran, on the host that asks."""
        return self.host == socket.gethostname()

    def is_dead(self) -> bool:
        """Whether this owner is known to be gone; False where nothing is known."""
        if not self.is_local:
            return False
        try:
            process = psutil.Process(self.process_id)
            # The start time may be read with a rounding of one clock tick. A zombie waits to be collected, and does
            # nothing any more.
            return abs(process.create_time() - self.started_at) > 1 or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False


def is_free(owner: str | None, expires_at: datetime | None, *, now: datetime) -> bool:
    """Whether a lease can be taken.

    A holder on this host is asked about at the operating system: dead, the lease is free at once; alive, it is held
    however late the sign of life (a laptop that slept goes on with its upload). Elsewhere the expiry decides.
    """
    if owner is None or expires_at is None:
        return True
    holder = LeaseOwner.parse(owner)
    return holder.is_dead() if holder.is_local else expires_at <= now
