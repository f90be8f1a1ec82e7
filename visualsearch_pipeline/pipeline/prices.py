"""What things cost by the price table (contract §3.2). Bills and forecasts agree, because both ask here."""

from __future__ import annotations

from typing import Final

from visualsearch_pipeline.settings import PriceSettings

_SECONDS_PER_MINUTE: Final = 60
_BYTES_PER_GIGABYTE: Final = 1_000_000_000


def indexing_usd(prices: PriceSettings, *, duration_seconds: float | None) -> float:
    """What indexing a video of this length costs, in US dollars; nothing where the length is not known."""
    minutes = (duration_seconds or 0.0) / _SECONDS_PER_MINUTE
    return minutes * prices.indexing_per_1000_minutes / 1000


def import_usd(prices: PriceSettings, *, platform: str, size_bytes: int) -> float:
    """What importing one post costs, in US dollars, without indexing: YouTube by the gigabyte, others by the video."""
    if platform == "youtube":
        return size_bytes / _BYTES_PER_GIGABYTE * prices.youtube_per_gigabyte
    return prices.import_per_video


def search_usd(prices: PriceSettings, *, calls: int = 1) -> float:
    """What searches cost, in US dollars. Questions about transcripts and captions are priced alike."""
    return calls * prices.search_per_1000 / 1000


def download_usd(prices: PriceSettings, *, size_bytes: int | None) -> float:
    """What downloading this many bytes costs, in US dollars."""
    return (size_bytes or 0) / _BYTES_PER_GIGABYTE * prices.download_per_gigabyte
