"""A URL's three faces: what is sent, what identifies it, what may be shown."""

from __future__ import annotations

from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visualsearch_pipeline.media.media_url import MediaUrl, UnusableUrl, post_address

SIGNED_TWICE = {
    "S3": ("X-Amz-Algorithm=A&X-Amz-Date={}&X-Amz-Expires=900&X-Amz-Signature={}", "versionId=7"),
    "Google": ("X-Goog-Algorithm=A&X-Goog-Date={}&X-Goog-Signature={}", "generation=7"),
    "CloudFront": ("Expires={}&Signature={}&Key-Pair-Id=K1", "take=7"),
    "CloudFront with a policy": ("Policy={}&Signature={}&Key-Pair-Id=K1", "take=7"),
    "Azure": ("sv=2024-01-01&se={}&sr=b&sp=r&sig={}", "take=7"),
}


@pytest.mark.parametrize("service", SIGNED_TWICE)
def test_a_link_that_was_signed_anew_is_the_same_item(service: str) -> None:
    signature, own = SIGNED_TWICE[service]
    base = f"https://store.example.com/a/clip.mp4?{own}&"
    first, second = (MediaUrl.parse(base + signature.format(*made)) for made in (("100", "abc"), ("200", "def")))
    assert first.identity == second.identity
    assert first.shown == second.shown
    other = MediaUrl.parse(base.replace("7", "8") + signature.format("100", "abc"))
    assert other.identity != first.identity
    assert other.shown != first.shown


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://Example.COM/a.mp4", "https://example.com:443/a.mp4"),
        ("http://example.com:80/a.mp4#t=10", "http://example.com/a.mp4"),
        ("https://example.com", "https://example.com/"),
    ],
)
def test_spellings_of_one_address_are_one_item(one: str, other: str) -> None:
    assert MediaUrl.parse(one).identity == MediaUrl.parse(other).identity


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.com/a.mp4", "http://example.com/a.mp4"),
        ("https://example.com/a.mp4", "https://example.com/A.mp4"),
        ("https://example.com/get?id=1", "https://example.com/get?id=2"),
        ("https://example.com/get?sig=1", "https://example.com/get?sig=2"),
        ("https://example.com/get?expires=1", "https://example.com/get?expires=2"),
    ],
)
def test_what_differs_otherwise_is_another_item(one: str, other: str) -> None:
    assert MediaUrl.parse(one).identity != MediaUrl.parse(other).identity


UNUSABLE = {
    "no address": "clip.mp4",
    "another protocol": "ftp://example.com/clip.mp4",
    "no host": "https:///clip.mp4",
    "a user and password": "https://user:hunter22@example.com/clip.mp4",
    "an empty user": "https://@example.com/clip.mp4",
    "a space": "https://example.com/a clip.mp4",
    "a line end": "https://example.com/a\nclip.mp4",
    "an impossible port": "https://example.com:99999/a.mp4",
    "half an IPv6 address": "https://[::1/a.mp4",
}


@pytest.mark.parametrize("mistake", UNUSABLE)
def test_what_cannot_be_fetched_is_refused_without_showing_a_secret(mistake: str) -> None:
    with pytest.raises(UnusableUrl) as refused:
        MediaUrl.parse(UNUSABLE[mistake])
    assert "hunter22" not in str(refused.value)


@given(
    names=st.lists(st.from_regex(r"[a-z][a-z-]{0,4}", fullmatch=True), min_size=1, max_size=4),
    token=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=6, max_size=30),
)
def test_no_value_of_a_query_is_shown_or_left_in_a_message(names: list[str], token: str) -> None:
    url = MediaUrl.parse(f"https://example.com/clip.mp4?{urlencode([(name, token) for name in names])}")
    assert url.shown.partition("#")[0] == "https://example.com/clip.mp4?" + "&".join(f"{name}=***" for name in names)
    assert url.raw not in repr(url)
    addresses = (url.raw, quote(url.raw), quote(url.raw, safe=""))
    for spelling in (*addresses, token, quote_plus(token), quote(token, safe="")):
        said = url.redact(f"cannot fetch <{spelling}> now")
        assert token not in said or token in "cannot fetch <> now"  # noqa: S105  not one that opens anything
        assert quote_plus(token) not in said or quote_plus(token) in url.shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://www.youtube.com/watch?v=abc&t=3&si=tracking", "https://www.youtube.com/watch?v=abc"),
        ("https://www.tiktok.com/@team/video/7?lang=en#x", "https://www.tiktok.com/@team/video/7"),
        ("https://store.example.com/a.mp4?X-Goog-Signature=abc", "https://store.example.com/a.mp4"),
        ("PI-1", None),
    ],
)
def test_a_post_is_shown_by_what_lasts_of_its_address(url: str, shown: str | None) -> None:
    assert post_address(url) == shown


def test_what_is_shown_names_the_parameters_and_a_mark() -> None:
    url = MediaUrl.parse("https://example.com/get?id=12345678&token=abcdefgh&bare")
    assert url.shown == f"https://example.com/get?id=***&token=***&***#{url.identity[:12]}"
    assert MediaUrl.parse(url.shown).shown.partition("#")[0] == url.shown.partition("#")[0]
    assert url.name == "get"
