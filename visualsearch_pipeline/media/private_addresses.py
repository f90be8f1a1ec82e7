"""Hosts that a URL source may not name: what is meant for this machine, this network or nobody.

The service fetches a URL from its own network, where `127.0.0.1` is the service and `10.0.0.7` may be its database. An
address there in a list of ours is a mistake at best. Names that resolve here to such an address are refused too; what
does not resolve here may be known to the service, and passes.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str], Iterable[str]]

_NOT_FOR_THE_WEB: Final = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "home.arpa", "onion")
"""Last labels of names that no public DNS answers for (RFC 6761, RFC 6762, RFC 8375, ICANN's reservations)."""

_METADATA_ADDRESSES: Final = frozenset({ipaddress.ip_address("168.63.129.16")})
"""Public by its number, and still a cloud's own: Azure's host. Those of the others are link-local or private."""

_TRANSLATED: Final = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48"))
"""IPv6 networks whose last four bytes are an IPv4 address (RFC 6052, RFC 8215)."""

_ALSO_RESERVED: Final = tuple(ipaddress.ip_network(text) for text in ("192.0.0.0/24", "::/96"))
"""Not public, whatever the Python version says: protocol assignments, and the oldest form of IPv4 within IPv6."""

_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_DOTS: Final = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})


def addresses_of(name: str) -> tuple[str, ...]:
    """The addresses that a name has here; none if it is not known here."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(str(address[4][0]) for address in found)


def why_private(host: str, *, resolve: Resolve | None = None) -> str | None:
    """Why a host is none that a URL may name, in words; None if nothing speaks against it.

    Args:
        host: A name or an address, in any spelling that some program reads as one: `127.1`, `0x7f000001`,
            `2130706433`, `017700000001`, `::ffff:127.0.0.1`, full-width digits.
        resolve: Looks up a name, see `addresses_of`; without it names are judged by what they are alone.
    """
    plain = _plain(host)
    address = _address(plain)
    if address is not None:
        return _judgement(address)
    if not plain or "." not in plain:
        return f"{host} is a name of one machine or network, not of the web"
    if _NUMBER.fullmatch(plain.rpartition(".")[2]):
        return f"{host} ends in a number and is no address"
    if any(plain.endswith(f".{suffix}") for suffix in _NOT_FOR_THE_WEB):
        return f"{host} is a name of a private network"
    for text in resolve(plain) if resolve else ():
        found = _address(text)
        why = _judgement(found) if found is not None else None
        if why is not None:
            return f"{host} leads here to {why}"
    return None


def _plain(host: str) -> str:
    """A host as programs compare it: without brackets, zone, full-width letters and the dot of the root."""
    folded = unicodedata.normalize("NFKC", host).translate(_DOTS).lower()
    return folded.strip("[]").partition("%")[0].rstrip(".")


def _address(plain: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(plain)
    except ValueError:
        return _loosely_written(plain)


def _loosely_written(plain: str) -> ipaddress.IPv4Address | None:
    """An IPv4 address of one to four numbers, decimal, octal or hexadecimal, as `inet_aton` and browsers read it."""
    parts = plain.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return None
    *leading, last = numbers
    if any(number > 255 for number in leading) or last >= 256 ** (4 - len(leading)):
        return None
    value = last + sum(number << (8 * (3 - place)) for place, number in enumerate(leading))
    return ipaddress.IPv4Address(value)


def _number(text: str) -> int:
    if text.lower().startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8) if text.startswith("0") and len(text) > 1 else int(text)


def _judgement(address: IpAddress) -> str | None:
    """What an address is, if it is not one of the public network's."""
    inner = _carried(address)
    if inner is not None:
        why = _judgement(inner)
        return f"{address}, which stands for {why}" if why else None
    is_reserved = not address.is_global or any(address in network for network in _ALSO_RESERVED)
    for is_kind, kind in (
        (address.is_loopback, "this machine itself"),
        (address.is_unspecified, "no address"),
        (address.is_link_local, "an address of one link, where clouds keep their metadata"),
        (address.is_multicast, "an address of many machines"),
        (address in _METADATA_ADDRESSES, "a cloud's metadata address"),
        (is_reserved, "an address of a private or reserved network"),
    ):
        if is_kind:
            return f"{address}: {kind}"
    return None


def _carried(address: IpAddress) -> ipaddress.IPv4Address | None:
    """The IPv4 address within an IPv6 one, for the schemes that carry one."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
