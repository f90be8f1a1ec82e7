"""What a URL may not name, in every spelling that some program reads as an address."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visualsearch_pipeline.media.private_addresses import why_private

PRIVATE = (
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7F.1", "0x7f.0x0.0x0.0x1"),
    *("017700000001", "0177.0.0.1", "0177.1", "127.0.0.1.", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021"),
    *("\u2460\u2461\u2466.0.0.1", "0", "0.0.0.0", "0x0", "255.255.255.255", "224.0.0.251"),  # noqa: S104  refused
    *("10.0.0.1", "167772161", "172.16.5.4", "172.31.255.255", "192.168.1.1", "100.64.0.1", "198.18.0.1"),
    *("169.254.169.254", "2852039166", "0xa9fea9fe", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
    *("::1", "[::1]", "::", "fe80::1", "fe80::1%25eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:a9fe:a9fe", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
    *("localhost", "LOCALHOST", "localhost.", "a.localhost", "printer.local", "metadata.google.internal"),
    *("router", "db.lan", "nas.home.arpa", "256.256.256.256", "1.2.3.4.5", ""),
)

PUBLIC = ("93.184.216.34", "8.8.8.8", "134744072", "0x08080808", "::ffff:8.8.8.8", "2606:4700::1111", "64:ff9b::808:8")
PUBLIC_NAMES = ("example.com", "cdn.example.org.", "localhost.example.com", "xn--bcher-kva.example", "10.example.com")


@pytest.mark.parametrize("host", PRIVATE)
def test_what_is_meant_for_this_machine_or_network_is_refused(host: str) -> None:
    assert why_private(host) is not None


@pytest.mark.parametrize("host", [*PUBLIC, *PUBLIC_NAMES])
def test_what_is_on_the_web_passes(host: str) -> None:
    assert why_private(host) is None


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_in_every_spelling(address: ipaddress.IPv4Address) -> None:
    first, second, third, fourth = address.packed
    number = int(address)
    spellings = (
        str(number),
        hex(number),
        f"0{number:o}",
        f"{first:#x}.{second:#o}.{third}.{fourth}".replace("0o", "0"),
        f"{first}.{second}.{third * 256 + fourth}",
        f"{first}.{number - (first << 24)}",
        f"::ffff:{address}",
        f"64:ff9b::{address}",
    )
    expected = why_private(str(address)) is None
    assert {spelling: why_private(spelling) is None for spelling in spellings} == dict.fromkeys(spellings, expected)


def test_a_name_that_leads_here_to_a_private_address_is_refused() -> None:
    leads_to = {"a.example": ("93.184.216.34",), "b.example": ("93.184.216.34", "10.0.0.7"), "c.example": ()}
    assert why_private("a.example", resolve=leads_to.__getitem__) is None
    assert "b.example leads here to 10.0.0.7" in str(why_private("b.example", resolve=leads_to.__getitem__))
    assert why_private("c.example", resolve=leads_to.__getitem__) is None
