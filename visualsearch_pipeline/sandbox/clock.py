"""The sandbox's clock: the real one, or one that stands still and moves when told to."""

import threading
import time
from datetime import UTC, datetime

from visualsearch_pipeline.sandbox.state.database import Database

_OFFSET_KEY = "clock_offset_ms"
_FROZEN_KEY = "clock_frozen_at_ms"


class Clock:
    """Time as every part of the sandbox sees it; its setting survives a restart.

    Running, it is the real time plus an offset. Frozen, it stands until it is advanced or set.
    """

    def __init__(self, database: Database, *, frozen_at: datetime | None) -> None:
        self._database = database
        self._lock = threading.Lock()
        offset, frozen = database.setting(_OFFSET_KEY), database.setting(_FROZEN_KEY)
        self._offset_ms = int(offset) if offset else 0
        self._frozen_ms = int(frozen) if frozen else None
        if offset is None and frozen_at is not None:
            self._frozen_ms = int(frozen_at.timestamp() * 1000)
        self._save()

    def now_ms(self) -> int:
        """Milliseconds since 1970 (UTC) by this clock."""
        with self._lock:
            return self._now_ms()

    def now(self) -> datetime:
        """The aware UTC time by this clock."""
        return datetime.fromtimestamp(self.now_ms() / 1000, tz=UTC)

    @property
    def is_frozen(self) -> bool:
        """Whether time moves only when told to."""
        with self._lock:
            return self._frozen_ms is not None

    def freeze(self, at: datetime | None = None) -> datetime:
        """Stop the clock, now or at the aware time given; returns the time at which it stands."""
        with self._lock:
            self._frozen_ms = self._now_ms() if at is None else _epoch_ms(at)
            self._save()
        return self.now()

    def advance(self, seconds: float) -> datetime:
        """Move the clock forward, whether it stands or runs; returns the new time.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            message = f"cannot advance the clock by {seconds} s; use set to go back"
            raise ValueError(message)
        with self._lock:
            if self._frozen_ms is None:
                self._offset_ms += round(seconds * 1000)
            else:
                self._frozen_ms += round(seconds * 1000)
            self._save()
        return self.now()

    def set(self, at: datetime) -> datetime:
        """Put the clock to an aware time; it goes on standing or running as before."""
        with self._lock:
            if self._frozen_ms is None:
                self._offset_ms = _epoch_ms(at) - _real_ms()
            else:
                self._frozen_ms = _epoch_ms(at)
            self._save()
        return self.now()

    def resume(self) -> datetime:
        """Let a standing clock run on from where it stands."""
        with self._lock:
            if self._frozen_ms is not None:
                self._offset_ms = self._frozen_ms - _real_ms()
                self._frozen_ms = None
            self._save()
        return self.now()

    def _now_ms(self) -> int:
        return _real_ms() + self._offset_ms if self._frozen_ms is None else self._frozen_ms

    def _save(self) -> None:
        self._database.set_setting(_OFFSET_KEY, str(self._offset_ms))
        self._database.set_setting(_FROZEN_KEY, "" if self._frozen_ms is None else str(self._frozen_ms))


def _real_ms() -> int:
    return time.time_ns() // 1_000_000


def _epoch_ms(at: datetime) -> int:
    if at.tzinfo is None:
        message = f"the clock needs an aware time, got {at!r}; give it a time zone"
        raise ValueError(message)
    return int(at.timestamp() * 1000)
