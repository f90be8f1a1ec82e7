"""Sends requests: one connection pool, one key, retries where safe, a report of every attempt."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO, Final, TypeAlias, cast

import httpx
import stamina

from visualsearch_pipeline.api.api_key import ApiKey
from visualsearch_pipeline.api.calls import ApiCall, OnCall
from visualsearch_pipeline.api.envelope import RawAnswer, judge
from visualsearch_pipeline.api.errors import BadResponse, ConnectionFailed, RateLimited, Timeout, VisualSearchError
from visualsearch_pipeline.api.faults import http_faults_as_ours
from visualsearch_pipeline.api.operations import Operation, OperationFamily
from visualsearch_pipeline.api.policies import RetryPolicy, Timeouts
from visualsearch_pipeline.api.rate_limits import RateLimiter
from visualsearch_pipeline.api.retries import may_repeat
from visualsearch_pipeline.api.wire import Json

logger = logging.getLogger(__name__)

MAX_ANSWER_BYTES: Final = 64 * 1024**2
"""A JSON answer beyond this is refused; the largest legal one, 200 captions with their vectors, is about 6 MB."""

Scalar: TypeAlias = str | int | float
Part: TypeAlias = tuple[str, BinaryIO, str]
"""File name, readable file, Content-Type."""
OpenParts: TypeAlias = Callable[[], AbstractContextManager[Sequence[tuple[str, Part]]]]
"""Opens the files of a multipart request anew for each attempt; yields pairs of field name and part."""


@dataclass(frozen=True)
class Call:
    """What is to be asked.

    Attributes:
        operation: Which operation.
        item: What it is about, for messages and reports.
        params: Query parameters.
        json: A JSON body, or None.
        form: Fields of a form or multipart body, or None.
        open_parts: Files of a multipart body, or None.
        read_timeout_seconds: Instead of the usual one.
        raw_query: A query string that is escaped already, instead of `params`.
        accept_raw: Whether the answer is a file: it should come without compression.
    """

    operation: Operation
    item: str | None = None
    params: Mapping[str, Scalar] = field(default_factory=dict)
    json: Json = None
    form: Mapping[str, Scalar | Sequence[str]] | None = None
    open_parts: OpenParts | None = None
    read_timeout_seconds: float | None = None
    raw_query: str | None = None
    accept_raw: bool = False


@dataclass
class _Meter:
    """What one attempt has come to so far."""

    bytes_sent: int = 0
    bytes_received: int = 0
    http_status: int | None = None
    code: str | None = None


@dataclass(frozen=True)
class StreamedAnswer:
    """An answer whose body has not been read yet."""

    response: httpx.Response
    _call: Call
    _meter: _Meter
    _secret: str

    @property
    def content_type(self) -> str:
        """The media type without parameters, lower case, or ""."""
        header: str = self.response.headers.get("content-type", "")
        return header.partition(";")[0].strip().lower()

    def chunks(self) -> Iterator[bytes]:
        """Yield the body piece by piece, decoded."""
        for chunk in self.response.iter_bytes():
            self._meter.bytes_received += len(chunk)
            yield chunk

    def as_json(self, body: bytes) -> RawAnswer:
        """Return `body` as an answer that can be judged."""
        return RawAnswer(
            operation=self._call.operation.name,
            item=self._call.item,
            http_status=self.response.status_code,
            content_type=self.content_type,
            retry_after=self.response.headers.get("retry-after"),
            body=body,
            secret=self._secret,
        )

    def judge(self, body: bytes) -> Json:
        """Return the data of the envelope in `body`.

        Raises:
            ApiError: The service refused.
            BadResponse: The body is no envelope.
        """
        verdict = judge(self.as_json(body))
        self._meter.code = verdict.code
        if verdict.error is not None:
            raise verdict.error
        return verdict.data


class Transport:
    """Carries calls to the service. Safe to use from several threads."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: ApiKey,
        timeouts: Timeouts,
        retry: RetryPolicy,
        limiter: RateLimiter | None,
        on_call: OnCall | None,
        user_agent: str,
    ) -> None:
        self.timeouts = timeouts
        self.retry = retry
        self._base_url = base_url
        self._secret = api_key.reveal()
        self._limiter = limiter
        self._on_call = on_call
        self._http = httpx.Client(
            # httpx shows the Authorization header as [secure] in every repr.
            headers={"Authorization": self._secret, "User-Agent": user_agent},
            timeout=httpx.Timeout(
                connect=timeouts.connect_seconds,
                read=timeouts.read_seconds,
                write=timeouts.write_seconds,
                # Waiting for a connection of the pool is not a fault: other transfers are under way.
                pool=None,
            ),
            follow_redirects=False,
        )

    def close(self) -> None:
        """Close all connections, those of the limiter included."""
        self._http.close()
        if self._limiter is not None:
            self._limiter.close()

    def request(self, call: Call) -> Json:
        """Make a call, again where that is safe, and return the data of its answer.

        Raises:
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        for attempt in self.attempts(call.operation):
            with attempt, self.stream(call, attempt_number=attempt.num) as answer:
                return answer.judge(self._read_answer(answer, call))
        raise AssertionError("stamina ends with an answer or an error")  # pragma: no cover

    def attempts(self, operation: Operation, *, most_carried_out: int | None = None) -> Iterator[stamina.Attempt]:
        """Yield attempts of a call: context managers that swallow what may be tried again (contract §9.10-9.13).

        Args:
            operation: What is called.
            most_carried_out: Most attempts that the service may have carried out, and charged; refusals do not count.
        """
        policy = self.retry
        return iter(
            stamina.retry_context(
                on=may_repeat(operation, policy, most_carried_out=most_carried_out),
                attempts=policy.attempts,
                timeout=policy.total_seconds,
                wait_initial=policy.initial_wait_seconds,
                wait_max=policy.max_wait_seconds,
                wait_jitter=policy.jitter_seconds,
            )
        )

    @contextmanager
    def stream(self, call: Call, *, attempt_number: int = 1) -> Iterator[StreamedAnswer]:
        """Make one attempt and yield its answer with the body still to be read.

        Raises:
            TransportError: No answer came, or it broke off; also while the body is read in the caller's block.
        """
        operation = call.operation
        waited_seconds = self._limiter.acquire(operation.family) if self._limiter is not None else 0.0
        meter = _Meter()
        started_at, started = datetime.now(UTC), time.monotonic()
        outcome = "ok"
        try:
            with http_faults_as_ours(operation.name, call.item), self._send(call, meter) as response:
                meter.http_status = response.status_code
                yield StreamedAnswer(response, call, meter, self._secret)
        except BaseException as error:
            outcome = type(error).__name__
            self._tell_limiter(operation, error)
            raise
        else:
            self._tell_limiter(operation, None)
        finally:
            self._report(
                ApiCall(
                    operation=operation.name,
                    item=call.item,
                    started_at=started_at,
                    duration_seconds=time.monotonic() - started,
                    outcome=outcome,
                    code=meter.code,
                    http_status=meter.http_status,
                    bytes_sent=meter.bytes_sent,
                    bytes_received=meter.bytes_received,
                    attempt=attempt_number,
                    waited_seconds=waited_seconds,
                )
            )

    @contextmanager
    def _send(self, call: Call, meter: _Meter) -> Iterator[httpx.Response]:
        with call.open_parts() if call.open_parts is not None else nullcontext(()) as parts:
            request = self._http.build_request(
                call.operation.method,
                self._url(call),
                params=dict(call.params) or None,
                headers={"Accept-Encoding": "identity"} if call.accept_raw else None,
                json=call.json,
                data=dict(call.form) if call.form is not None else None,
                files=list(parts) or None,
            )
            if call.read_timeout_seconds is not None:
                request.extensions["timeout"]["read"] = call.read_timeout_seconds
            if self._limiter is not None:
                request.extensions["trace"] = _tell_departure(self._limiter, call.operation.family)
            request.stream = _MeteredStream(cast("httpx.SyncByteStream", request.stream), meter)
            response = self._http.send(request, stream=True)
        try:
            yield response
        finally:
            response.close()

    def _url(self, call: Call) -> str:
        path = call.operation.path
        url = path if "://" in path else self._base_url + path
        return f"{url}?{call.raw_query}" if call.raw_query is not None else url

    def _read_answer(self, answer: StreamedAnswer, call: Call) -> bytes:
        body = bytearray()
        deadline = time.monotonic() + self.timeouts.answer_seconds
        for chunk in answer.chunks():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                message = f"{call.operation.name}: the answer is larger than {MAX_ANSWER_BYTES} bytes; gave up on it."
                raise BadResponse(message, operation=call.operation.name, item=call.item)
            if time.monotonic() > deadline:
                message = (
                    f"{call.operation.name}: the answer still trickled in after {self.timeouts.answer_seconds:g} s. "
                    "Try again later, or raise `answer_seconds`."
                )
                raise Timeout(message, operation=call.operation.name, item=call.item)
        return bytes(body)

    def _tell_limiter(self, operation: Operation, error: BaseException | None) -> None:
        if self._limiter is None:
            return
        if isinstance(error, RateLimited):
            self._limiter.refused(operation.family, retry_after_seconds=error.retry_after_seconds)
        elif isinstance(error, ConnectionFailed):
            self._limiter.unused(operation.family)
        elif error is None or isinstance(error, VisualSearchError):
            self._limiter.accepted(operation.family)

    def _report(self, call: ApiCall) -> None:
        if self._on_call is None:
            return
        try:
            self._on_call(call)
        except Exception:  # whatever the bookkeeper raises: the answer matters more (see OnCall)
            logger.exception("An API call could not be recorded: %s", call)


def _tell_departure(limiter: RateLimiter, family: OperationFamily) -> Callable[[str, object], None]:
    """Return a listener to httpcore's events that tells the limiter when the request leaves (connection made)."""

    def on_event(name: str, _: object) -> None:
        if name == "http11.send_request_headers.started":
            limiter.departed(family)

    return on_event


class _MeteredStream(httpx.SyncByteStream):
    """A request's body that counts what is taken from it."""

    def __init__(self, stream: httpx.SyncByteStream, meter: _Meter) -> None:
        self._stream = stream
        self._meter = meter

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            yield chunk
            self._meter.bytes_sent += len(chunk)

    def close(self) -> None:
        self._stream.close()
