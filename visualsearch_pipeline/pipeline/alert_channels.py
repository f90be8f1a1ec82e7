"""Handing an alert over: to a web address, or to a program. What is wrong is said without the address.

The address of a webhook may be a secret, and so may what a receiver answers: neither stands in a message, a log or the
ledger. Redirects are not followed: they would carry the alert to whoever answers at the address today.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import httpx
import stamina

import visualsearch_pipeline
from visualsearch_pipeline.alert_addresses import is_variable
from visualsearch_pipeline.settings import API_KEY_VARIABLE

DELIVERY_HEADER: Final = "Webhook-Id"
"""Names the delivery: a receiver that has seen it before has seen all of this alert."""

_TIMESTAMP_HEADER: Final = "Webhook-Timestamp"
_ATTEMPTS: Final = 4
_ATTEMPT_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 0.5
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500
_SHOWN_CHARACTERS: Final = 200


class NotDelivered(Exception):  # noqa: N818  says what happened, as in `visualsearch_pipeline.api.errors`
    """An alert was not taken. The message says by whom, why, and what to do; never the address."""


class _MayPass(NotDelivered):
    """What may go away by itself within seconds."""


@dataclass(frozen=True)
class Parcel:
    """What is handed over.

    Attributes:
        delivery_id: The same in every attempt.
        body: JSON.
        sent_at: Now.
    """

    delivery_id: str
    body: str
    sent_at: datetime


@dataclass(frozen=True)
class WebhookChannel:
    """Posts alerts to a web address.

    Attributes:
        webhook: The address, or the environment variable that holds it.
        environ: The environment.
        deadline_seconds: How long a delivery may take, its retries included.
    """

    webhook: str
    environ: Mapping[str, str]
    deadline_seconds: float

    @property
    def name(self) -> str:
        """Where it goes, in words without secrets."""
        return f"webhook ${self.webhook}" if is_variable(self.webhook) else f"webhook {urlsplit(self.webhook).netloc}"

    def deliver(self, parcel: Parcel) -> None:
        """Post an alert; trouble of the network and of the receiver is waited out within the deadline.

        Raises:
            NotDelivered: it was not taken, or nobody knows whether it was.
        """
        url = self._url()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"visualsearch_pipeline/{visualsearch_pipeline.__version__}",
            DELIVERY_HEADER: parcel.delivery_id,
            _TIMESTAMP_HEADER: str(int(parcel.sent_at.timestamp())),
        }
        timeout = httpx.Timeout(min(_ATTEMPT_SECONDS, self.deadline_seconds))
        # No proxies and no .netrc: neither was asked for, and both come from the environment.
        with httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False) as client, _no_addresses_logged():
            for attempt in stamina.retry_context(
                on=_MayPass, attempts=_ATTEMPTS, timeout=self.deadline_seconds, wait_initial=_FIRST_PAUSE_SECONDS
            ):
                with attempt:
                    self._post(client, url, parcel, headers)

    def _url(self) -> str:
        if not is_variable(self.webhook):
            return self.webhook
        url = self.environ.get(self.webhook, "").strip()
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            state = "holds no http(s) address" if url else "is not set"
            raise NotDelivered(
                f"the environment variable {self.webhook}, which an alert goes to, {state} where this run works; set "
                "it for the process that runs the pipeline, then run again"
            )
        return url

    def _post(self, client: httpx.Client, url: str, parcel: Parcel, headers: Mapping[str, str]) -> None:
        try:
            status = client.post(url, content=parcel.body.encode(), headers=dict(headers)).status_code
        except httpx.TimeoutException:
            raise _MayPass(f"{self.name} gave no answer in time; it may have taken the alert all the same") from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise _MayPass(f"{self.name} cannot be reached ({type(error).__name__}); is its server up?") from None
        if status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS:
            raise _MayPass(f"{self.name} has trouble (HTTP {status}); the next run tries again")
        if httpx.codes.is_redirect(status):
            raise NotDelivered(
                f"{self.name} redirects (HTTP {status}), which is not followed; write the address it leads to"
            )
        if not httpx.codes.is_success(status):
            raise NotDelivered(f"{self.name} refuses the alert (HTTP {status}); check the address and its permissions")


@dataclass(frozen=True)
class CommandChannel:
    """Starts a program for each alert, with the alert on its standard input and no shell in between.

    Attributes:
        command: The program and its arguments.
        folder: Where it runs.
        environ: What it gets of the environment: all but the API key.
        deadline_seconds: When it is killed, with all that it started.
    """

    command: tuple[str, ...]
    folder: Path
    environ: Mapping[str, str]
    deadline_seconds: float

    @property
    def name(self) -> str:
        """Which program, in words; its arguments are its own matter."""
        return f"command {Path(self.command[0]).name}"

    def deliver(self, parcel: Parcel) -> None:
        """Run the program to its end.

        Raises:
            NotDelivered: it cannot be started, ends with another code than 0, or takes too long.
        """
        given = {name: value for name, value in self.environ.items() if name != API_KEY_VARIABLE}
        given["VISUALSEARCH_DELIVERY_ID"] = parcel.delivery_id
        try:
            process = subprocess.Popen(  # noqa: S603  # the team names it in its own files
                self.command,
                cwd=self.folder,
                env=given,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # A group of its own, so that what it started can be ended with it.
                start_new_session=True,
            )
        except OSError as error:
            raise NotDelivered(
                f"the {self.name} cannot be started in {self.folder} ({error.strerror or error}); a program beside the "
                "query set's file is written ./program and needs permission to be executed"
            ) from None
        try:
            _, said = process.communicate(parcel.body.encode(), timeout=self.deadline_seconds)
        except subprocess.TimeoutExpired:
            raise NotDelivered(
                f"the {self.name} took longer than {self.deadline_seconds:g} s and was ended; it may have told people "
                "all the same"
            ) from None
        finally:
            _end_group(process)
        if process.returncode != 0:
            lines = said.decode(errors="replace").strip().splitlines() or ["nothing on standard error"]
            raise NotDelivered(
                f"the {self.name} ended with code {process.returncode}: {lines[-1][:_SHOWN_CHARACTERS]}; try it by "
                "hand with an alert on its standard input"
            )


Channel: TypeAlias = WebhookChannel | CommandChannel


@contextmanager
def _no_addresses_logged() -> Iterator[None]:
    """While an alert is posted, httpx does not log the addresses that it asks, as it otherwise does of each request."""
    httpx_logger = logging.getLogger("httpx")
    httpx_logger.addFilter(_hide)
    try:
        yield
    finally:
        httpx_logger.removeFilter(_hide)


def _hide(_: logging.LogRecord) -> bool:
    return False


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stderr):
        if pipe is not None and not pipe.closed:
            pipe.close()
