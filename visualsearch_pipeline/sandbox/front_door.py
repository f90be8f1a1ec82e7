"""Which part of the server a request is for."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class FrontDoor:
    """The application whose prefix a path begins with, the API for every other."""

    def __init__(self, api: ASGIApp, by_prefix: Mapping[str, ASGIApp]) -> None:
        self._api = api
        self._by_prefix = by_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        path = scope["path"]
        found = (application for prefix, application in self._by_prefix.items() if path.startswith(prefix))
        await next(found, self._api)(scope, receive, send)
