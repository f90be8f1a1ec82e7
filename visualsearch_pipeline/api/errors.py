# ruff: noqa: N818  names say what happened, as in httpx (`RateLimited`, not `RateLimitedError`)
"""Every error that the client raises.

    VisualSearchError
     |- InvalidInput                refused here, before anything was sent
     |- LimiterUnavailable        * the shared rate limit cannot be used: nothing was sent
     |- TransportError              no answer, or one that is not the service's
     |   |- ConnectionFailed        no connection: nothing was sent
     |   |- Timeout                 no answer in time: it may or may not have been done
     |   |- ConnectionLost          broken off after sending began
     |   |- BadResponse             empty, truncated, HTML, or not of the documented shape
     |       |- MalformedItem       one item of an answer cannot be read
     |- ApiError                    the service answered, and the answer is no
     |   |- AuthenticationError  *  0401
     |   |- InsufficientCredits  *  0402
     |   |- PermissionDenied     *  0403, 9009
     |   |- RateLimited             0429, 429, HTTP 429
     |   |- InvalidRequest          0001, 0003
     |   |- ResourceNotFound        a download of something that is not there
     |   |- NotRepeatable           0409
     |   |- TransientServiceError   network abnormal, busy, HTTP 5xx
     |   |- EndpointUnavailable     the route is gone: "No static resource", HTTP 404
     |   |- UnexpectedCode          a code that no source names
     |- OutcomeUnknown              a call with an effect may have had it: look before repeating
     |   |- UploadOutcomeUnknown    the video may have been accepted
     |- UploadSourceError           the file could not be read, or changed: surely not accepted
     |- DownloadError               no file was left under the final name
         |- IncompleteDownload      empty, short, truncated, or not what it claims to be
         |- DownloadMismatch        whole, but not the expected bytes
         |- DestinationError        the file could not be written

`*`: `stops_run` is true. Every further call would end the same way, so a run should stop (contract §9.8).
"""

from __future__ import annotations

from typing import ClassVar, Self


class VisualSearchError(Exception):
    """Base of all errors of this client. The message says what was attempted, on what, and what to do.

    Attributes:
        stops_run: Whether every further call would fail the same way, so that a run should stop.
    """

    stops_run: ClassVar[bool] = False

    def __reduce__(self) -> tuple[object, ...]:
        # The constructors below take keywords, which the default reduction loses on the way between processes.
        return _restore, (type(self), self.args, self.__dict__)

    @classmethod
    def _restored(cls, args: tuple[object, ...], state: dict[str, object]) -> Self:
        error = cls.__new__(cls, *args)
        error.args = args
        error.__dict__.update(state)
        return error


def _restore(kind: type[VisualSearchError], args: tuple[object, ...], state: dict[str, object]) -> VisualSearchError:
    return kind._restored(args, state)  # noqa: SLF001  the other half of __reduce__


class InvalidInput(VisualSearchError):
    """The arguments would be refused by the service; nothing was sent and nothing was charged."""


class LimiterUnavailable(VisualSearchError):
    """The place where the rate limit is shared cannot be used, so that no call may start; nothing was sent."""

    stops_run = True


class TransportError(VisualSearchError):
    """No usable answer came back.

    Attributes:
        operation: Name of the API operation.
        item: What it was about (a file name, `video_no`, query), or None.
        http_status: Status of the answer, if one came.
    """

    def __init__(
        self, message: str, *, operation: str, item: str | None = None, http_status: int | None = None
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.item = item
        self.http_status = http_status


class ConnectionFailed(TransportError):
    """No connection could be made. Nothing was sent, so the call can be repeated whatever it does."""


class Timeout(TransportError):
    """The answer did not come in time. Whether the service acted is unknown."""


class ConnectionLost(TransportError):
    """The connection broke after sending began. Whether the service acted is unknown."""


class BadResponse(TransportError):
    """The answer is not the service's: not JSON, truncated, not an object, without a code, of another shape."""


class MalformedItem(BadResponse):
    """One item of a successful answer cannot be read. The whole answer is refused, so that no item vanishes silently.

    Attributes:
        position: Zero-based position in the list, or None if the answer is a single item.
    """

    def __init__(self, message: str, *, operation: str, item: str | None = None, position: int | None = None) -> None:
        super().__init__(message, operation=operation, item=item)
        self.position = position


class ApiError(VisualSearchError):
    """The service answered with a refusal.

    Attributes:
        operation: Name of the API operation.
        item: What it was about (a file name, `video_no`, query), or None.
        code: The envelope's code as four characters where the service sent a number, or None without an envelope.
        service_message: The service's own words, or None.
        http_status: HTTP status of the answer. A refusal often has 200 (contract §1.3).
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        item: str | None = None,
        code: str | None = None,
        service_message: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.item = item
        self.code = code
        self.service_message = service_message
        self.http_status = http_status


class AuthenticationError(ApiError):
    """The key is missing or not known to the service."""

    stops_run = True


class InsufficientCredits(ApiError):
    """The account has no credits left; nothing further can be done before it is topped up."""

    stops_run = True


class PermissionDenied(ApiError):
    """The account is disabled, or the key may not do this."""

    stops_run = True


class RateLimited(ApiError):
    """Too many requests; surely not carried out.

    Attributes:
        retry_after_seconds: What a `Retry-After` header asked for, or None. None is documented (contract §1.5).
    """

    retry_after_seconds: float | None = None


class InvalidRequest(ApiError):
    """The service does not accept the parameters. Repeating the call changes nothing."""


class ResourceNotFound(ApiError):
    """The thing asked for does not exist, is another account's or namespace's, or was deleted."""


class NotRepeatable(ApiError):
    """The operation was done before. For a deletion that is success."""


class TransientServiceError(ApiError):
    """The service is busy or its network is; the same call may succeed later."""


class EndpointUnavailable(ApiError):
    """The service does not offer this route (any more). This is not an empty result (contract §9.7)."""


class UnexpectedCode(ApiError):
    """The service answered with a code that no source names."""


class OutcomeUnknown(VisualSearchError):
    """A call that must not be repeated blindly may have taken effect although no usable answer came.

    Attributes:
        operation: Name of the API operation.
        item: What it was about.
    """

    def __init__(self, message: str, *, operation: str, item: str | None = None) -> None:
        super().__init__(message)
        self.operation = operation
        self.item = item


class UploadOutcomeUnknown(OutcomeUnknown):
    """The upload may have been accepted although no usable answer came: reconcile before sending it again.

    Attributes:
        upload_name: File name under which the video was sent, or the URL that the service was to fetch.
        sent_bytes: How much of the file was handed to the connection; 0 for a URL.
        size_bytes: Size of the file; 0 for a URL.
        request_complete: Whether the whole request was handed over. If not, the service cannot have all of it.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        upload_name: str,
        sent_bytes: int = 0,
        size_bytes: int = 0,
        request_complete: bool = True,
    ) -> None:
        super().__init__(message, operation=operation, item=upload_name)
        self.upload_name = upload_name
        self.sent_bytes = sent_bytes
        self.size_bytes = size_bytes
        self.request_complete = request_complete


class UploadSourceError(VisualSearchError):
    """The file could not be read to its end, or is not what it was. The request was broken off: surely not accepted.

    Attributes:
        changed: Whether the file's bytes differ from what was announced (its size or SHA-256).
    """

    def __init__(self, message: str, *, changed: bool = False) -> None:
        super().__init__(message)
        self.changed = changed


class DownloadError(VisualSearchError):
    """A download failed. Nothing was left under the final name."""


class IncompleteDownload(DownloadError):
    """The bytes are not a whole file: none came, too few, a broken structure, or an error in disguise."""


class DownloadMismatch(DownloadError):
    """The bytes look whole but are not the expected ones.

    Attributes:
        size_bytes: What came, in bytes.
        sha256: SHA-256 of what came, in lower case hexadecimal.
    """

    def __init__(self, message: str, *, size_bytes: int, sha256: str) -> None:
        super().__init__(message)
        self.size_bytes = size_bytes
        self.sha256 = sha256


class DestinationError(DownloadError):
    """The file could not be written: full disk, missing permission, a folder in its place."""
