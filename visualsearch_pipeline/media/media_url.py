"""A URL as a media item: what identifies it, and what of it may be shown.

A link to a video often carries a secret: the signature of a storage service, a token of a CDN. So a URL has three
faces. The **raw** one is sent to the service, and is kept nowhere. The **identity** is a hash of the URL without the
parameters in which the known storage services put signatures, so that a link that was signed anew is the same item. The
**shown** one, for the ledger, the tables and every message, has each value of its query replaced; a mark made of the
identity tells two of them apart.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit, urlunsplit

REDACTED: Final = "***"

_MARK_CHARACTERS: Final = 12
_LEAST_SECRET_CHARACTERS: Final = 6
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_DEFAULT_NAME: Final = "video"

# Amazon S3 and compatible stores; CloudFront; Google Cloud Storage; Azure's shared access signatures.
_SIGNATURE_PREFIXES: Final = ("x-amz-", "x-goog-")
_SIGNATURE_PARAMETERS: Final = frozenset({"awsaccesskeyid", "googleaccessid", "expires", "signature", "key-pair-id"})
_AZURE_PARAMETERS: Final = frozenset(
    {"sv", "ss", "srt", "sp", "st", "se", "spr", "sr", "sig", "sip", "si", "skoid", "sktid", "skt", "ske", "sks", "skv"}
)
_CONTROL_OR_SPACE: Final = re.compile(r"[\x00-\x20\x7f]")


class UnusableUrl(ValueError):  # noqa: N818  says what it is, as in `visualsearch_pipeline.media.errors`
    """A text that no video can be fetched from. The message says why, and shows nothing that may be secret."""


@dataclass(frozen=True)
class MediaUrl:
    """A web address of a video.

    Attributes:
        raw: The address as it was written, secrets and all.
        identity: SHA-256 of the address without its signature, hexadecimal.
        shown: The address without a fragment and with every value of its query replaced. Unique per identity.
        host: As written, in lower case.
        name: The last part of its path, unescaped; `video` if there is none.
    """

    raw: str = field(repr=False)
    identity: str
    shown: str
    host: str
    name: str

    @classmethod
    def parse(cls, text: str) -> MediaUrl:
        """Read an address.

        Raises:
            UnusableUrl: It is no http(s) address, or carries a user name or password, which would be stored by the
                service.
        """
        if _CONTROL_OR_SPACE.search(text):
            raise UnusableUrl("holds a space or a control character; write it percent-encoded")
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise UnusableUrl(f"is no web address: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UnusableUrl("is no web address; it must begin with https:// or http://")
        if "@" in parts.netloc:
            raise UnusableUrl("carries a user name or a password, which the service would store; use a signed link")
        host = parts.hostname
        port_text = f":{port}" if port not in (None, _DEFAULT_PORTS[parts.scheme]) else ""
        netloc = f"[{host}]{port_text}" if ":" in host else f"{host}{port_text}"
        path = parts.path or "/"
        same = urlunsplit((parts.scheme, netloc, path, _without_signature(parts.query), ""))
        identity = hashlib.sha256(same.encode("utf-8", "surrogatepass")).hexdigest()
        query = _redacted_query(parts.query)
        shown = urlunsplit((parts.scheme, netloc, path, query, identity[:_MARK_CHARACTERS] if query else ""))
        name = PurePosixPath(unquote(path)).name or _DEFAULT_NAME
        return cls(raw=text, identity=identity, shown=shown, host=host, name=name)

    @property
    def video_name(self) -> str:
        """What the service is known to call a video that it fetches from here: the stem of the path (contract §2.2)."""
        return PurePosixPath(self.name).stem

    def redact(self, text: str) -> str:
        """A text without what is secret in this address: a message of somebody who repeats it, say."""
        parts = urlsplit(self.raw)
        whole = {self.raw, quote(self.raw), quote(self.raw, safe=""), quote_plus(self.raw)}
        for spelling in sorted(whole, key=len, reverse=True):
            text = text.replace(spelling, self.shown)
        pieces = {parts.query, parts.fragment}
        for part in parts.query.split("&"):
            value = part.partition("=")[2] or part
            pieces |= {value, unquote_plus(value), unquote(value), quote(value, safe="")}
        for piece in sorted(pieces, key=len, reverse=True):
            if len(piece) >= _LEAST_SECRET_CHARACTERS:
                text = text.replace(piece, REDACTED)
        return text


def post_address(url: str) -> str | None:
    """Where a post is, to be shown: its address without what a platform or a storage adds, but YouTube's `v`.

    Returns:
        None if it is no web address.
    """
    try:
        shown = MediaUrl.parse(url).shown.partition("?")[0]
    except UnusableUrl:
        return None
    named = [part for part in urlsplit(url).query.split("&") if part.startswith("v=")]
    return f"{shown}?{named[0]}" if named else shown


def _without_signature(query: str) -> str:
    names = {_name(part) for part in query.split("&")}
    # Azure's names are short words that others use too: they count only beside the signature that goes with them.
    dropped = _AZURE_PARAMETERS if {"sig", "sv"} <= names else frozenset()
    dropped |= _SIGNATURE_PARAMETERS if "signature" in names else frozenset()
    dropped |= {"policy"} if {"signature", "key-pair-id"} <= names else frozenset()
    kept = (
        part
        for part in query.split("&")
        if not _name(part).startswith(_SIGNATURE_PREFIXES) and _name(part) not in dropped
    )
    return "&".join(kept)


def _redacted_query(query: str) -> str:
    if not query:
        return ""
    # A part without `=` may be a bare token: nothing of it is shown.
    return "&".join(
        f"{part.partition('=')[0]}={REDACTED}" if "=" in part else REDACTED for part in query.split("&") if part
    )


def _name(part: str) -> str:
    return part.partition("=")[0].lower()
