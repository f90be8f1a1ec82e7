"""Turns the HTTP library's exceptions into ours, by what they say about whether anything was sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from visualsearch_pipeline.api.errors import BadResponse, ConnectionFailed, ConnectionLost, Timeout


@contextmanager
def http_faults_as_ours(operation: str, item: str | None) -> Iterator[None]:
    """Raise our errors in place of httpx's.

    Args:
        operation: Name of the API operation, for the message.
        item: What it is about.

    Raises:
        ConnectionFailed: Nothing was sent.
        Timeout: An answer, or a part of it, did not come in time.
        ConnectionLost: The connection broke after sending may have begun.
        BadResponse: The answer's content coding is broken.
    """
    asked = f"{operation} of {item!r}" if item is not None else operation
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        message = f"{asked}: no connection to the service ({_tell(error)}). Check the base URL and the network."
        raise ConnectionFailed(message, operation=operation, item=item) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        message = f"{asked}: the address cannot be used ({_tell(error)}). Check the base URL and the route."
        raise ConnectionFailed(message, operation=operation, item=item) from error
    except httpx.TimeoutException as error:
        message = f"{asked}: no answer in time ({_tell(error)}). The service may or may not have acted."
        raise Timeout(message, operation=operation, item=item) from error
    except httpx.DecodingError as error:
        message = f"{asked}: the answer's compression is broken ({_tell(error)}). A proxy may have damaged it."
        raise BadResponse(message, operation=operation, item=item) from error
    except httpx.RequestError as error:
        message = f"{asked}: the connection broke ({_tell(error)}). The service may or may not have acted."
        raise ConnectionLost(message, operation=operation, item=item) from error


def _tell(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
