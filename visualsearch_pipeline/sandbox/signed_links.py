"""Links to stored images that need no key and expire, as BY_IMAGE answers them (contract §2.8, §6.9)."""

import hashlib
import hmac
import mimetypes
import secrets
from urllib.parse import quote, unquote, urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from visualsearch_pipeline.sandbox.clock import Clock
from visualsearch_pipeline.sandbox.state.database import Database
from visualsearch_pipeline.sandbox.state.files import FileStore

STORAGE_PREFIX = "/storage/"
LIFETIME_SECONDS = 3600

_SECRET_KEY = "link_secret"  # noqa: S105 - the name of a setting


class SignedLinks:
    """Makes the links, and is the ASGI application behind them. Links survive a restart, not their time."""

    def __init__(self, database: Database, *, clock: Clock, files: FileStore) -> None:
        secret = database.setting(_SECRET_KEY)
        if secret is None:
            secret = secrets.token_hex(32)
            database.set_setting(_SECRET_KEY, secret)
        self._secret = secret.encode()
        self._clock = clock
        self._files = files

    def url(self, base_url: str, bucket: str, blob: str) -> str:
        """A link to a blob that is good for an hour of the sandbox's clock."""
        path = f"{bucket}/{blob}"
        expires = self._clock.now_ms() // 1000 + LIFETIME_SECONDS
        query = urlencode({"Expires": expires, "Signature": self._signature(path, str(expires))})
        return f"{base_url}{STORAGE_PREFIX}{quote(path)}?{query}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a link with its file, or 403 when it is wrong or too old."""
        response = self._answer(Request(scope, receive))
        await response(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = unquote(request.url.path.removeprefix(STORAGE_PREFIX))
        expires, signature = request.query_params.get("Expires", ""), request.query_params.get("Signature", "")
        if not hmac.compare_digest(signature.encode(), self._signature(path, expires).encode()):
            return PlainTextResponse("SignatureDoesNotMatch", 403)
        if self._clock.now_ms() // 1000 > int(expires):
            return PlainTextResponse("ExpiredToken", 403)
        bucket, _, blob = path.partition("/")
        place = self._files.path(bucket, blob)
        if place is None or not place.is_file():
            return PlainTextResponse("NoSuchKey", 404)
        return FileResponse(place, media_type=mimetypes.guess_type(blob)[0] or "application/octet-stream")

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._secret, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()
