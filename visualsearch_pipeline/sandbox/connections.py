"""Cutting connections: what no HTTP framework offers and every network does."""

import asyncio
import contextlib
import socket
import struct

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Peer = tuple[str, int]

_LINGER_NONE = struct.pack("ii", 1, 0)


class Connections:
    """The open connections of a server by the address of the peer."""

    def __init__(self) -> None:
        self._transports: dict[Peer, asyncio.Transport] = {}

    def protocol(self) -> type[HttpToolsProtocol]:
        """Uvicorn's HTTP protocol, made to register its connections here."""
        transports = self._transports

        class RegisteredProtocol(HttpToolsProtocol):
            _peer: Peer | None = None

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
                super().connection_made(transport)
                if self.client is not None:
                    self._peer = (self.client[0], self.client[1])
                    transports[self._peer] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self._peer is not None:
                    transports.pop(self._peer, None)
                super().connection_lost(exc)

        return RegisteredProtocol

    def reset(self, peer: Peer) -> None:
        """End a connection with a TCP reset: what was sent before may never arrive."""
        transport = self._transports.get(peer)
        if transport is None:
            return
        raw = transport.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        transport.abort()

    def close(self, peer: Peer) -> None:
        """End a connection in good order after what was sent, in the middle of a response."""
        transport = self._transports.get(peer)
        if transport is not None:
            transport.close()
