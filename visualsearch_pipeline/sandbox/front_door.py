"""Which part of the server a request is for."""

from starlette.types import ASGIApp, Receive, Scope, Send

from visualsearch_pipeline.sandbox.control.admin_routes import ADMIN_PREFIX


class FrontDoor:
    """The admin routes under their prefix if there are any, the API for everything else."""

    def __init__(self, api: ASGIApp, admin: ASGIApp | None) -> None:
        self._api = api
        self._admin = admin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        is_admin = self._admin is not None and scope["path"].startswith(f"{ADMIN_PREFIX}/")
        await (self._admin if is_admin and self._admin is not None else self._api)(scope, receive, send)
