"""One virtual time for several processes: it passes only while all of their threads sleep.

Nobody measures the machine: work takes no virtual time however slow it is, and a sleep of a minute takes none of
ours. The service's clock is put forward together with it, so that it counts in the same time.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection, Listener, wait
from types import TracebackType
from typing import Final, Self

_LEAVE: Final = "leave"


@dataclass(frozen=True)
class Event:
    """Something that happens at a time."""

    at: float
    happen: Callable[[], None]


class VirtualTime:
    """Keeps the time of a number of sleepers.

    Args:
        start: Seconds since the epoch.
        sleepers: How many take part; time stands until all are there.
        on_change: Told of every new time before anybody wakes.
        events: What is to happen when.
    """

    def __init__(
        self, *, start: float, sleepers: int, on_change: Callable[[float], None], events: Sequence[Event] = ()
    ) -> None:
        self._now = start
        self._sleepers = sleepers
        self._on_change = on_change
        self._events = sorted(events, key=lambda event: event.at)
        self._listener = Listener(backlog=sleepers)
        self._thread = threading.Thread(target=self._keep, name="virtual-time", daemon=True)
        self.failure: BaseException | None = None

    @property
    def address(self) -> str:
        """Where sleepers find it."""
        return str(self._listener.address)

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.close()

    def _keep(self) -> None:
        try:
            awake = [self._listener.accept() for _ in range(self._sleepers)]
            self._run(awake)
        except BaseException as error:
            self.failure = error
            raise

    def _run(self, awake: list[Connection]) -> None:
        asleep: list[tuple[float, int, Connection]] = []
        order = itertools.count()
        self._pass_until(self._now)
        for sleeper in awake:
            sleeper.send(self._now)
        while awake or asleep:
            heard = wait(awake)
            for sleeper in [one for one in awake if one in heard]:
                awake.remove(sleeper)
                said = _LEAVE
                # A process that died has left as well.
                with suppress(EOFError, ConnectionError):
                    said = sleeper.recv()
                if said == _LEAVE:
                    sleeper.close()
                else:
                    heapq.heappush(asleep, (float(said), next(order), sleeper))
            if not awake and asleep:
                self._pass_until(asleep[0][0])
                while asleep and asleep[0][0] <= self._now:
                    sleeper = heapq.heappop(asleep)[2]
                    sleeper.send(self._now)
                    awake.append(sleeper)

    def _pass_until(self, moment: float) -> None:
        while self._events and self._events[0].at <= moment:
            event = self._events.pop(0)
            self._change(event.at)
            event.happen()
        self._change(moment)

    def _change(self, moment: float) -> None:
        self._now = max(self._now, moment)
        self._on_change(self._now)


class SharedClock:
    """The time as the threads of a process see it; each thread that asks takes part until it leaves."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._own = threading.local()

    def now(self) -> float:
        """Seconds since the epoch. It cannot have changed since this thread woke up."""
        self._connection()
        now: float = self._own.now
        return now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        connection = self._connection()
        connection.send(self._own.now + seconds)
        self._own.now = connection.recv()

    def leave(self) -> None:
        """Take part no more."""
        connection = self._connection()
        connection.send(_LEAVE)
        connection.close()
        del self._own.connection

    def _connection(self) -> Connection:
        if not hasattr(self._own, "connection"):
            self._own.connection = Client(self._address)
            self._own.now = self._own.connection.recv()
        connection: Connection = self._own.connection
        return connection
