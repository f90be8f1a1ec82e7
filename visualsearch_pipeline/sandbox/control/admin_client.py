"""The typed face of a sandbox that runs in another process: the names of `Controls`, over its admin routes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from pydantic import TypeAdapter

from visualsearch_pipeline.sandbox.config import DEFAULT_ACCOUNT, OperationFamily, Rate, RateLimits
from visualsearch_pipeline.sandbox.control.admin_routes import ADMIN_PREFIX
from visualsearch_pipeline.sandbox.control.models import (
    ClockState,
    FaultRule,
    JournalEntry,
    LibraryVideo,
    SeededVideo,
    SentCallback,
    StandingFault,
    TransitionPlan,
)

_JOURNAL = TypeAdapter(list[JournalEntry])
_VIDEOS = TypeAdapter(list[LibraryVideo])
_CALLBACKS = TypeAdapter(list[SentCallback])
_STANDING = TypeAdapter(list[StandingFault])
_PLANS = TypeAdapter(list[TransitionPlan])
_SEEDED = TypeAdapter(list[SeededVideo])
_RATES = TypeAdapter(dict[OperationFamily, Rate])
_COPY_BYTES = 1024 * 1024


class SandboxAdminError(RuntimeError):
    """The sandbox refused an admin request, or has no admin routes; the message says which and why."""


class _Routes:
    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self.http = httpx.Client(base_url=url.rstrip("/") + ADMIN_PREFIX, timeout=timeout_seconds, trust_env=False)

    def ask(self, method: str, path: str, *, body: str | None = None, **query: str) -> bytes:
        answer = self.http.request(method, f"/{path}", content=body, params=query)
        if answer.status_code != httpx.codes.OK or b"No static resource" in answer.content[:200]:
            reason = answer.text[:300]
            message = f"{method} {answer.url} was refused: {reason} (is the sandbox running with admin on?)"
            raise SandboxAdminError(message)
        return answer.content


class RemoteClock:
    """The clock of a sandbox in another process."""

    def __init__(self, routes: _Routes) -> None:
        self._routes = routes

    @property
    def is_frozen(self) -> bool:
        """Whether time moves only when told to."""
        return self._ask("GET", "clock").frozen

    def now(self) -> datetime:
        """The aware UTC time by this clock."""
        return self._ask("GET", "clock").now

    def freeze(self, at: datetime | None = None) -> datetime:
        """Stop the clock, now or at the aware time given."""
        return self._ask("POST", "clock/freeze", _at(at)).now

    def advance(self, seconds: float) -> datetime:
        """Move the clock forward."""
        return self._ask("POST", "clock/advance", f'{{"seconds": {seconds}}}').now

    def set(self, at: datetime) -> datetime:
        """Put the clock to an aware time."""
        return self._ask("POST", "clock/set", _at(at)).now

    def resume(self) -> datetime:
        """Let a standing clock run on."""
        return self._ask("POST", "clock/resume").now

    def _ask(self, method: str, path: str, body: str | None = None) -> ClockState:
        return ClockState.model_validate_json(self._routes.ask(method, path, body=body))


class RemoteFaults:
    """The faults of a sandbox in another process."""

    def __init__(self, routes: _Routes) -> None:
        self._routes = routes

    def add(self, rule: FaultRule) -> int:
        """Let a rule stand; returns its id."""
        return TypeAdapter(dict[str, int]).validate_json(
            self._routes.ask("POST", "faults", body=rule.model_dump_json())
        )["fault_id"]

    def rules(self) -> list[StandingFault]:
        """All rules, spent ones included, oldest first."""
        return _STANDING.validate_json(self._routes.ask("GET", "faults"))

    def fired(self, fault_id: int | None = None) -> list[JournalEntry]:
        """The requests that were made to fail, by one rule or by any."""
        query = {} if fault_id is None else {"fault_id": str(fault_id)}
        return _JOURNAL.validate_json(self._routes.ask("GET", "faults/fired", **query))

    def clear(self) -> None:
        """Lift all rules."""
        self._routes.ask("DELETE", "faults")


class RemoteTransitions:
    """The plans of a sandbox in another process."""

    def __init__(self, routes: _Routes) -> None:
        self._routes = routes

    def plan(self, plan: TransitionPlan) -> None:
        """Apply a plan and keep it for uploads to come."""
        self._routes.ask("POST", "transitions", body=plan.model_dump_json())

    def plans(self) -> list[TransitionPlan]:
        """The plans kept for uploads to come."""
        return _PLANS.validate_json(self._routes.ask("GET", "transitions"))

    def clear(self) -> None:
        """Forget the plans for uploads to come."""
        self._routes.ask("DELETE", "transitions")


class RemoteCredits:
    """The money of a sandbox in another process."""

    def __init__(self, routes: _Routes) -> None:
        self._routes = routes

    def balance_usd(self, account: str) -> float | None:
        """What the account has left; None when it cannot run out."""
        return self._figures(account)["balance_usd"]

    def spent_usd(self, account: str) -> float:
        """What the account has spent so far."""
        return self._figures(account)["spent_usd"] or 0.0

    def grant(self, account: str, amount_usd: float) -> None:
        """Give money to an account."""
        body = TypeAdapter(dict[str, str | float]).dump_json({"account": account, "amount_usd": amount_usd})
        self._routes.ask("POST", "credits", body=body.decode())

    def _figures(self, account: str) -> Mapping[str, float | None]:
        return TypeAdapter(dict[str, float | None]).validate_json(self._routes.ask("GET", "credits", account=account))


class SandboxAdmin:
    """Controls a sandbox that was started elsewhere with `admin` on.

    Example::

        with SandboxAdmin("http://127.0.0.1:40123") as admin:
            admin.faults.add(FaultRule(operation="upload", kind=FaultKind.RESET, when="after"))

    Raises:
        SandboxAdminError: From any method: the sandbox refused, or answers no admin requests.
        httpx.TransportError: From any method: nothing answers there.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 120.0) -> None:
        self._routes = _Routes(url, timeout_seconds=timeout_seconds)
        self.clock = RemoteClock(self._routes)
        self.faults = RemoteFaults(self._routes)
        self.transitions = RemoteTransitions(self._routes)
        self.credits = RemoteCredits(self._routes)

    def health(self) -> None:
        """Return if the sandbox answers."""
        self._routes.ask("GET", "health")

    def journal(self, *, operation: str | None = None, since: int = 0) -> list[JournalEntry]:
        """The requests to the API so far; those after `since` (a sequence number) if given."""
        query = {"since": str(since)} | ({} if operation is None else {"operation": operation})
        return _JOURNAL.validate_json(self._routes.ask("GET", "journal", **query))

    def videos(self) -> list[LibraryVideo]:
        """Every video of every account, oldest first."""
        return _VIDEOS.validate_json(self._routes.ask("GET", "videos"))

    def callbacks(self) -> list[SentCallback]:
        """The webhooks, those still waiting included."""
        return _CALLBACKS.validate_json(self._routes.ask("GET", "callbacks"))

    def set_rate_limits(self, rates: RateLimits) -> None:
        """Put other limits in force until the sandbox ends."""
        named = {OperationFamily(family): rate for family, rate in rates.items()}
        self._routes.ask("PUT", "rate_limits", body=_RATES.dump_json(named).decode())

    def settle(self, *, timeout_seconds: float = 60.0) -> None:
        """Wait until every accepted file is decoded, then show what is due by the clock."""
        self._routes.ask("POST", "settle", timeout_seconds=str(timeout_seconds))

    def seed(self, videos: Iterable[SeededVideo], *, account: str = DEFAULT_ACCOUNT) -> list[str]:
        """Enter parsed videos that have no file; returns their ids in the order given."""
        answer = self._routes.ask("POST", "seed", body=_SEEDED.dump_json(list(videos)).decode(), account=account)
        return TypeAdapter(dict[str, list[str]]).validate_json(answer)["video_nos"]

    def reset(self) -> None:
        """Forget everything but the clock."""
        self._routes.ask("POST", "reset")

    def dump(self, path: Path) -> None:
        """Write the whole state to a tar file."""
        with self._routes.http.stream("GET", "/dump") as answer, path.open("wb") as file:
            if answer.status_code != httpx.codes.OK:
                message = f"GET {answer.url} was refused with HTTP {answer.status_code}"
                raise SandboxAdminError(message)
            for chunk in answer.iter_bytes(_COPY_BYTES):
                file.write(chunk)

    def load(self, path: Path) -> None:
        """Replace the whole state by that of a dump."""
        with path.open("rb") as file:
            answer = self._routes.http.post("/load", content=iter(lambda: file.read(_COPY_BYTES), b""))
        if answer.status_code != httpx.codes.OK:
            message = f"POST {answer.url} was refused: {answer.text[:300]}"
            raise SandboxAdminError(message)

    def close(self) -> None:
        """Close the connections."""
        self._routes.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _at(at: datetime | None) -> str:
    return "{}" if at is None else f'{{"at": "{at.isoformat()}"}}'
