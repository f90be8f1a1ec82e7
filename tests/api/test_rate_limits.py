"""Rates and presets (contract §3.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from visualsearch_pipeline.api import (
    InvalidInput,
    LimiterUnavailable,
    OperationFamily,
    Rate,
    RateLimits,
    SharedRateLimiter,
    account_id,
)

UPLOAD, SEARCH, LIST = OperationFamily.UPLOAD, OperationFamily.SEARCH, OperationFamily.LIST


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1/minute", Rate(1, 60)),
        ("5/second", Rate(5, 1)),
        ("12 / minute", Rate(12, 60)),
        ("1/2 seconds", Rate(1, 2)),
        ("100/day", Rate(100, 86400)),
        ("3/hour", Rate(3, 3600)),
        ("unlimited", None),
    ],
)
def test_rates_are_read_as_people_write_them(text: str, rate: Rate | None) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize(
    "text", ["", "1", "0/minute", "1/fortnight", "-1/second", "1.5/second", "1/0 seconds", "many/day"]
)
def test_rates_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="must read like"):
        Rate.parse(text)


def test_the_documented_preset_is_the_strictest_published_one() -> None:
    limits = RateLimits.from_setting("documented")
    assert limits.rate(UPLOAD) == Rate(1, 60)
    assert limits.rate(SEARCH) == Rate(1, 1)
    assert limits.rate(LIST) == Rate(5, 1)
    assert limits.rate(OperationFamily.DOWNLOAD) == Rate(12, 60)
    assert all(limits.rate(family) is not None for family in OperationFamily)


def test_single_rates_replace_those_of_the_preset() -> None:
    limits = RateLimits.from_setting({"upload": "10/minute", "list": "unlimited"})
    assert limits.rate(UPLOAD) == Rate(10, 60)
    assert limits.rate(LIST) is None
    assert limits.rate(SEARCH) == Rate(1, 1)
    assert RateLimits.from_setting("unlimited").rate(UPLOAD) is None
    for wrong in ("strict", {"uploads": "1/minute"}, {"upload": "fast"}):
        with pytest.raises(InvalidInput):
            RateLimits.from_setting(wrong)


def test_each_published_generation_is_a_preset() -> None:
    of_2025, of_2026 = RateLimits.from_setting("v1.2"), RateLimits.from_setting("p-2026")
    assert [of_2025.rate(family) for family in (UPLOAD, SEARCH, LIST)] == [Rate(1, 1), Rate(10, 1), Rate(5, 1)]
    assert of_2025.rate(OperationFamily.TRANSCRIPTS) == Rate(5, 1)
    assert of_2025.rate(OperationFamily.SCRAPE) == Rate(1, 60)
    assert of_2026 == RateLimits.documented()


def test_a_damaged_file_of_limits_is_told_with_its_place_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    path.write_bytes(b"no database, whatever its name says" * 100)
    with SharedRateLimiter(path, RateLimits.documented(), account="a") as limiter:
        with pytest.raises(LimiterUnavailable, match=r"limits\.db.*not a database.*remove it"):
            limiter.acquire(UPLOAD)
        path.unlink()
        assert limiter.acquire(UPLOAD) < 1


def test_an_account_has_a_name_that_is_not_its_key() -> None:
    key = "sk-mavi-0123456789"
    name = account_id(api_key=key, base_url="https://a")
    assert key not in name
    assert name == account_id(api_key=key, base_url="https://a")
    assert name != account_id(api_key=key, base_url="https://b")
