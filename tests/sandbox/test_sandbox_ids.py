"""Identifiers (contract §1.6, §9.62)."""

from hypothesis import given
from hypothesis import strategies as st

from visualsearch_pipeline.sandbox.identifiers import next_snowflake, seeded_uuid, snowflake_time_ms


def test_published_ids_agree_with_their_create_time() -> None:
    for video_no, create_time_ms in (
        ("VI606404158946574336", 1754037217992),
        ("VI606402870447996928", 1754036910783),
        ("VI606401846039576576", 1754036666561),
    ):
        assert abs(snowflake_time_ms(video_no) - create_time_ms) < 100


@given(
    steps=st.lists(st.integers(min_value=-5, max_value=5), min_size=1, max_size=200),
    seed=st.integers(min_value=0, max_value=2**32),
)
def test_ids_rise_whatever_the_clock_does(steps: list[int], seed: int) -> None:
    now_ms, last = 1_767_225_600_000, 0
    for step in steps:
        now_ms += step
        following = next_snowflake(now_ms=now_ms, last=last, seed=seed)
        assert following > last
        last = following


def test_ten_thousand_ids_in_one_millisecond_are_distinct_and_stay_near_it() -> None:
    now_ms, last, seen = 1_767_225_600_000, 0, set()
    for _ in range(10_000):
        last = next_snowflake(now_ms=now_ms, last=last, seed=7)
        seen.add(last)
    assert len(seen) == 10_000
    assert snowflake_time_ms(f"VI{last}") - now_ms <= 2
    assert len(str(last)) == 18


def test_a_uuid_follows_from_name_and_seed() -> None:
    assert seeded_uuid("VI1", seed=1) == seeded_uuid("VI1", seed=1)
    assert len({seeded_uuid(name, seed=seed) for name in ("VI1", "VI2") for seed in (1, 2)}) == 4
