"""Token buckets, one per operation family and account; two keys of an account share them (contract §3.1, §9.11)."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from visualsearch_pipeline.sandbox.clock import Clock
from visualsearch_pipeline.sandbox.config import OperationFamily, Rate


@dataclass
class _Bucket:
    tokens: float
    filled_at_ms: int


class RateLimiter:
    """Counts calls by the sandbox's clock. A refused call takes no token."""

    def __init__(self, rates: Mapping[OperationFamily, Rate], *, clock: Clock, slack_seconds: float) -> None:
        self._rates = dict(rates)
        self._clock = clock
        self._slack_seconds = slack_seconds
        self._lock = threading.Lock()
        self._buckets: dict[tuple[OperationFamily, str], _Bucket] = {}

    @property
    def rates(self) -> Mapping[OperationFamily, Rate]:
        """The limits in force."""
        with self._lock:
            return dict(self._rates)

    def set_rates(self, rates: Mapping[OperationFamily, Rate]) -> None:
        """Put other limits in force, with full buckets."""
        with self._lock:
            self._rates = dict(rates)
            self._buckets.clear()

    def admits(self, family: OperationFamily, account: str) -> bool:
        """Take a token if there is one."""
        with self._lock:
            rate = self._rates.get(family)
            if rate is None:
                return True
            now_ms = self._clock.now_ms()
            bucket = self._buckets.setdefault((family, account), _Bucket(float(rate.calls), now_ms))
            per_ms = rate.calls / rate.per_seconds / 1000
            bucket.tokens = min(rate.calls, bucket.tokens + max(0, now_ms - bucket.filled_at_ms) * per_ms)
            bucket.filled_at_ms = now_ms
            # The slack forgives jitter of a single arrival. It is borrowed, not given: the bucket goes below zero.
            if bucket.tokens < 1 - self._slack_seconds * 1000 * per_ms:
                return False
            bucket.tokens -= 1
            return True
