"""How patient the client is: time-outs and retries."""

from __future__ import annotations

from dataclasses import dataclass

_GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class Timeouts:
    """Time limits of one HTTP request, in seconds.

    Attributes:
        connect_seconds: For the connection, TLS included.
        read_seconds: Between two pieces of an answer, and until its first one.
        write_seconds: For one piece of a request to be taken by the network.
        answer_seconds: For a whole JSON answer, from its first byte, so that a trickle cannot hold a caller for ever.
        upload_seconds_per_gigabyte: What an upload's answer may take in addition for each 10^9 bytes of the file: the
            service may store it before it answers (contract §9.16).
    """

    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    write_seconds: float = 60.0
    answer_seconds: float = 120.0
    upload_seconds_per_gigabyte: float = 1800.0

    def upload_answer_seconds(self, size_bytes: int) -> float:
        """Return how long the answer to an upload of `size_bytes` may take."""
        return self.read_seconds + self.upload_seconds_per_gigabyte * size_bytes / _GIGABYTE


@dataclass(frozen=True)
class RetryPolicy:
    """When a call that failed is made again. Waits are 1, 2, 4 … 32 s with jitter by default (contract §9.10).

    Only what is safe is repeated: reads, searches and deletions after any passing fault; uploads and other calls with
    an effect only when the service surely did not act (no connection, rate limited).

    Attributes:
        attempts: Most attempts of one call, the first included.
        total_seconds: No new attempt begins after this time. A `Retry-After` beyond it is not waited for.
        initial_wait_seconds: Wait before the second attempt; doubles from there.
        max_wait_seconds: Longest single wait.
        jitter_seconds: Each wait grows by a random part of this.
        transient_retries: Most retries after a "network abnormal" answer (contract §9.12).
        download_attempts: Most attempts of one download that the service carries out, because each is billed. Those
            that it refuses for coming too fast are not.
    """

    attempts: int = 8
    total_seconds: float = 180.0
    initial_wait_seconds: float = 1.0
    max_wait_seconds: float = 32.0
    jitter_seconds: float = 1.0
    transient_retries: int = 3
    download_attempts: int = 3
