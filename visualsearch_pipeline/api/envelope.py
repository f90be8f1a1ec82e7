"""Judges an answer: success is the code "0000" and nothing else, at any HTTP status (contract §1.2-1.5, §9.2-9.9)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from visualsearch_pipeline.api.errors import (
    ApiError,
    AuthenticationError,
    BadResponse,
    EndpointUnavailable,
    InsufficientCredits,
    InvalidRequest,
    NotRepeatable,
    PermissionDenied,
    RateLimited,
    ResourceNotFound,
    TransientServiceError,
    UnexpectedCode,
)
from visualsearch_pipeline.api.wire import Json, read_number

SUCCESS_CODE: Final = "0000"
_SHOWN_CHARACTERS: Final = 300

_CLASS_BY_NUMBER: Final[dict[str, type[ApiError]]] = {
    # Without leading zeros, so that the sister product's integers (contract §1.4) read the same.
    "1": InvalidRequest,
    "3": InvalidRequest,
    "400": InvalidRequest,
    "415": InvalidRequest,
    "401": AuthenticationError,
    "402": InsufficientCredits,
    "403": PermissionDenied,
    "9009": PermissionDenied,
    "405": EndpointUnavailable,
    "409": NotRepeatable,
    "429": RateLimited,
    "500": TransientServiceError,
}

_ADVICE: Final[dict[type[ApiError], str]] = {
    AuthenticationError: "Check the API key: the raw key, without `Bearer` and without quotes.",
    InsufficientCredits: "Top up the account's credits, then run again.",
    PermissionDenied: "The account is disabled or this key may not do it: check the account in the console.",
    RateLimited: "It was not carried out. Lower the rate limit in the settings if this is frequent.",
    InvalidRequest: "The same call will be refused again: change what is sent.",
    ResourceNotFound: "It does not exist, was deleted, or belongs to another scope: check the id and the scope.",
    NotRepeatable: "It was done before.",
    TransientServiceError: "The service is busy or unreachable behind its gateway: try again later.",
    EndpointUnavailable: "The service does not offer this route: check the base URL and the route in the settings.",
    UnexpectedCode: "No known source names this code: treat it as a failure and report it.",
}


@dataclass(frozen=True)
class RawAnswer:
    """An HTTP answer to be judged.

    Attributes:
        operation: Name of the API operation that was asked.
        item: What it was about, or None.
        http_status: Status of the answer.
        content_type: Content-Type header, or "".
        retry_after: Retry-After header, or None.
        body: The decoded bytes.
        secret: Taken out of everything that is quoted: a service may echo the key it refuses.
    """

    operation: str
    item: str | None
    http_status: int
    content_type: str
    retry_after: str | None
    body: bytes
    secret: str

    @property
    def asked(self) -> str:
        """What was asked, for a message."""
        about = f" of {self.item!r}" if self.item is not None else ""
        return f"{self.operation}{about}"

    def quote(self, text: str) -> str:
        """Return `text` short, on one line and without the key."""
        plain = " ".join(text.replace(self.secret, "[key]").split())
        return plain if len(plain) <= _SHOWN_CHARACTERS else plain[:_SHOWN_CHARACTERS] + " …"


@dataclass(frozen=True)
class Verdict:
    """What an answer means: its code, and either data or an error.

    Attributes:
        code: The envelope's code as sent, or None without an envelope.
        data: The payload of a success; null is a legal one (contract §1.2).
        error: Why it is no success, or None.
    """

    code: str | None
    data: Json = None
    error: ApiError | BadResponse | None = None


def judge(answer: RawAnswer) -> Verdict:
    """Read an answer's envelope; without one, go by the HTTP status."""
    content = _parse_object(answer.body)
    if content is None or not _is_code(code := content.get("code")):
        return Verdict(code=None, error=_error_without_envelope(answer, content))
    if code == SUCCESS_CODE:
        return Verdict(code=SUCCESS_CODE, data=content.get("data"))
    shown_code = str(code).replace(answer.secret, "[key]")
    message = content.get("msg")
    return Verdict(code=shown_code, error=_refusal(answer, shown_code, message if isinstance(message, str) else ""))


def _parse_object(body: bytes) -> dict[str, Json] | None:
    try:
        content: object = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _is_code(code: Json) -> bool:
    return isinstance(code, str | int) and not isinstance(code, bool) and code != ""


def _refusal(answer: RawAnswer, code: str, message: str) -> ApiError:
    kind = _classify(answer, code, message)
    error = kind(
        f"{answer.asked}: the service answered code {answer.quote(code)} ({answer.quote(message) or 'no message'!r}) "
        f"at HTTP {answer.http_status}. {_ADVICE[kind]}",
        operation=answer.operation,
        item=answer.item,
        code=code,
        service_message=answer.quote(message),
        http_status=answer.http_status,
    )
    return _with_retry_after(error, answer)


def _classify(answer: RawAnswer, code: str, message: str) -> type[ApiError]:
    kind = _CLASS_BY_NUMBER.get(code.strip().lstrip("0"), UnexpectedCode)
    said = message.casefold()
    if kind is NotRepeatable:
        # One fixture uses 0409 for "service busy, try later" (contract §1.4).
        return TransientServiceError if "busy" in said or "try" in said else NotRepeatable
    if kind is not InvalidRequest:
        return kind
    # 0001 is a catch-all: only its message tells a passing fault from a lasting one (contract §1.4, §9.12).
    if "no static resource" in said or ("method" in said and "not support" in said):
        return EndpointUnavailable
    if ("network" in said and ("abnormal" in said or "busy" in said)) or "service busy" in said:
        return TransientServiceError
    if "enough points" in said or "insufficient balance" in said:
        return InsufficientCredits
    if "exceeded the limit" in said or "rate limit" in said:
        return RateLimited
    if answer.operation.startswith("download") and "cannot be" not in said:
        return ResourceNotFound
    return InvalidRequest


def _error_without_envelope(answer: RawAnswer, content: dict[str, Json] | None) -> ApiError | BadResponse:
    kind = _classify_status(answer.http_status)
    if kind is None:
        return BadResponse(
            f"{answer.asked}: HTTP {answer.http_status} with {_describe_body(answer, content)} instead of the "
            "service's envelope. Check the base URL, and whether a proxy stands in between.",
            operation=answer.operation,
            item=answer.item,
            http_status=answer.http_status,
        )
    error = kind(
        f"{answer.asked}: HTTP {answer.http_status} {_reason(answer.http_status)} with "
        f"{_describe_body(answer, content)}. {_ADVICE[kind]}",
        operation=answer.operation,
        item=answer.item,
        http_status=answer.http_status,
    )
    return _with_retry_after(error, answer)


def _classify_status(http_status: int) -> type[ApiError] | None:
    match http_status:
        case 401:
            return AuthenticationError
        case 402:
            return InsufficientCredits
        case 403:
            return PermissionDenied
        case 404 | 405 | 410:
            return EndpointUnavailable
        case 429:
            return RateLimited
        case 408 | 425:
            return TransientServiceError
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return TransientServiceError
        case status if status >= HTTPStatus.BAD_REQUEST:
            return InvalidRequest
    return None


def _with_retry_after(error: ApiError, answer: RawAnswer) -> ApiError:
    if isinstance(error, RateLimited):
        error.retry_after_seconds = _read_retry_after(answer.retry_after)
    return error


def _read_retry_after(header: str | None) -> float | None:
    # No Retry-After is documented (contract §1.5). Its form as a date is not honoured: clocks differ.
    try:
        seconds = read_number(header)
    except ValueError:
        return None
    return seconds if seconds is not None and seconds >= 0 else None


def _describe_body(answer: RawAnswer, content: dict[str, Json] | None) -> str:
    if not answer.body:
        return "an empty body"
    shown = answer.quote(answer.body[:_SHOWN_CHARACTERS].decode("utf-8", errors="replace"))
    what = "JSON without a code" if content is not None else answer.quote(answer.content_type) or "an untyped body"
    return f"{what} ({shown!r})"


def _reason(http_status: int) -> str:
    try:
        return HTTPStatus(http_status).phrase
    except ValueError:
        return ""
