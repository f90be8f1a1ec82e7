"""Identifiers in the form the service gives them: snowflakes made from the clock (contract §1.6, §9.62)."""

import random
import uuid

SNOWFLAKE_EPOCH_MS = 1_609_459_200_000
"""2021-01-01T00:00:00Z: from this instant the service counts."""

_TIME_SHIFT = 22
_SEQUENCE_BITS = 12
_SANDBOX_NAMESPACE = uuid.UUID("6f1d7c1e-2d0b-5d7a-9d55-0a6f5b3f7c11")


def next_snowflake(*, now_ms: int, last: int, seed: int) -> int:
    """The next id after `last` at the time `now_ms`.

    The upper bits are milliseconds since 2021, ten bits name the machine (fixed by the seed), the lowest twelve count
    within one millisecond. Should the clock stand still or run backwards, the ids go on upwards all the same.
    """
    machine = random.Random(seed).getrandbits(10)  # noqa: S311 - reproducible on purpose, protects nothing
    first_of_millisecond = ((now_ms - SNOWFLAKE_EPOCH_MS) << _TIME_SHIFT) | (machine << _SEQUENCE_BITS)
    if first_of_millisecond > last:
        return first_of_millisecond
    following = last + 1
    if following & ((1 << _SEQUENCE_BITS) - 1):
        return following
    # 4,096 ids in one millisecond: borrow from the next one.
    return (((last >> _TIME_SHIFT) + 1) << _TIME_SHIFT) | (machine << _SEQUENCE_BITS)


def snowflake_time_ms(identifier: str) -> int:
    """The instant, in epoch milliseconds, at which an id such as `VI606404158946574336` was given out."""
    digits = identifier.removeprefix("VI").removeprefix("PI-")
    return (int(digits) >> _TIME_SHIFT) + SNOWFLAKE_EPOCH_MS


def seeded_uuid(name: str, *, seed: int) -> uuid.UUID:
    """A UUID that is the same for the same name and seed, in every run."""
    return uuid.uuid5(_SANDBOX_NAMESPACE, f"{seed}/{name}")
