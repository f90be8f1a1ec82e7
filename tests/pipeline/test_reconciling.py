"""Finding lost uploads: never another content's entry, never "absent" while it is there, no entry bound twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from visualsearch_pipeline.api import Video
from visualsearch_pipeline.pipeline.reconciling import CLOCK_SKEW, LostUpload, Verdict, find_lost_uploads
from visualsearch_pipeline.pipeline.upload_marks import hash_mark, upload_name

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
SIZES = (1_000, 2_000)
"""Few, so that sizes collide."""
FOREIGN_SIZES = (3_000, 4_000)
SHA256 = [hashlib.sha256(bytes([number])).hexdigest() for number in range(6)]
OPAQUE = [hashlib.md5(bytes([number]), usedforsecurity=False).hexdigest() for number in range(12)]
STATUSES = ("UNPARSE", "PARSE", "FAIL")


@dataclass(frozen=True)
class World:
    """Lost uploads, what the library lists, and which entry truly is whose."""

    lost: tuple[LostUpload, ...]
    library: tuple[Video, ...]
    claimed: frozenset[str]
    own: dict[str, str]
    """`video_no` of each accepted upload, by SHA-256."""
    keeps_names: bool


def entry(video_no: str, **fields: object) -> Video:
    return Video.model_validate({"video_no": video_no, **fields})


@st.composite
def worlds(draw: st.DrawFn) -> World:
    keeps_names, shows_tags = draw(st.booleans()), draw(st.booleans())
    prefix = draw(st.sampled_from(["", "20260201_", "%E2%9C%93-", hash_mark(SHA256[5]) + "_"]))
    lost, library, claimed, own = [], [], set(), {}
    for number, sha256 in enumerate(SHA256[: draw(st.integers(1, 4))]):
        size_bytes = draw(st.sampled_from(SIZES))
        intended_at = NOON + timedelta(minutes=draw(st.integers(0, 30)))
        # A file may bear the name under which another one was uploaded before.
        stem = draw(st.sampled_from(["clip", f"clip-{hash_mark(SHA256[(number + 1) % 4])}", "ぬ"]))
        fate = draw(st.sampled_from(["not accepted", "accepted", "claimed"]))
        if fate != "claimed":
            lost.append(LostUpload(sha256=sha256, size_bytes=size_bytes, intended_at=intended_at))
        if fate == "not accepted":
            continue
        status = draw(st.sampled_from(STATUSES))
        tags_now = shows_tags and (status == "PARSE" or draw(st.booleans()))
        size_now = status == "PARSE" or draw(st.booleans())
        skew = draw(st.integers(-int(CLOCK_SKEW.total_seconds()), 600))
        own_name = prefix + upload_name(f"{stem}.mp4", sha256=sha256).removesuffix(".mp4")
        library.append(
            entry(
                f"VI{number}",
                status=status,
                video_name=own_name if keeps_names else OPAQUE[number],
                size=size_bytes if size_now else None,
                tags=["api", f"sha256:{sha256}"] if tags_now else None,
                create_time=int((intended_at + timedelta(seconds=skew)).timestamp() * 1000),
            )
        )
        own[sha256] = f"VI{number}"
        if fate == "claimed":
            claimed.add(f"VI{number}")
    for number in range(draw(st.integers(0, 3))):
        opaque = draw(st.booleans())
        tags = ["api", f"sha256:{SHA256[5]}"] if shows_tags and draw(st.booleans()) else ["api"]
        # Without a tag or a name of its own nothing but the size tells a stranger's entry from ours.
        silent = opaque and tags == ["api"]
        library.append(
            entry(
                f"VI9{number}",
                status=draw(st.sampled_from(STATUSES)),
                video_name=OPAQUE[6 + number] if opaque else draw(st.sampled_from(["holiday", "clip", SHA256[5][:16]])),
                size=draw(st.sampled_from(FOREIGN_SIZES if silent else (*SIZES, *FOREIGN_SIZES, None))),
                tags=tags,
                create_time=int((NOON + timedelta(minutes=draw(st.integers(-60, 60)))).timestamp() * 1000),
            )
        )
    return World(tuple(lost), tuple(draw(st.permutations(library))), frozenset(claimed), own, keeps_names)


@given(worlds())
@settings(max_examples=500, deadline=None)
def test_an_entry_is_adopted_only_by_the_upload_that_made_it(world: World) -> None:
    found = find_lost_uploads(world.lost, world.library, claimed=world.claimed)
    assert set(found) == {upload.sha256 for upload in world.lost}
    adopted = {sha256: verdict.video_no for sha256, verdict in found.items() if isinstance(verdict, Video)}
    assert adopted.items() <= world.own.items()
    assert len(set(adopted.values())) == len(adopted)
    assert not world.claimed & set(adopted.values())


@given(worlds())
@settings(max_examples=500, deadline=None)
def test_an_upload_is_never_absent_while_its_entry_is_there(world: World) -> None:
    found = find_lost_uploads(world.lost, world.library, claimed=world.claimed)
    for upload in world.lost:
        if upload.sha256 in world.own:
            assert found[upload.sha256] is not Verdict.ABSENT
            if world.keeps_names:
                assert isinstance(found[upload.sha256], Video)


@given(worlds())
@settings(max_examples=200, deadline=None)
def test_once_all_is_parsed_and_named_every_question_is_decided(world: World) -> None:
    if not world.keeps_names:
        return
    library = [video for video in world.library if video.raw_status == "PARSE"]
    found = find_lost_uploads(world.lost, library, claimed=world.claimed)
    assert Verdict.UNDECIDED not in found.values()


def test_of_two_entries_with_one_content_the_older_is_kept() -> None:
    tags = [f"sha256:{SHA256[0]}"]
    entries = [
        entry(name, status="PARSE", tags=tags, create_time=int((NOON + age).timestamp() * 1000))
        for name, age in (("VI2", timedelta(hours=1)), ("VI1", timedelta(0)))
    ]
    lost = LostUpload(sha256=SHA256[0], size_bytes=1, intended_at=NOON)
    verdict = find_lost_uploads([lost], entries, claimed=frozenset())[SHA256[0]]
    assert isinstance(verdict, Video)
    assert verdict.video_no == "VI1"


def test_a_service_without_names_and_tags_is_trusted_by_size_only_where_one_fits() -> None:
    lost = [LostUpload(sha256=sha256, size_bytes=1_000, intended_at=NOON) for sha256 in SHA256[:2]]
    one = entry("VI1", status="PARSE", video_name=OPAQUE[0], size="1000", create_time=int(NOON.timestamp() * 1000))
    assert find_lost_uploads(lost[:1], [one], claimed=frozenset()) == {SHA256[0]: one}
    undecided = dict.fromkeys(SHA256[:2], Verdict.UNDECIDED)
    assert find_lost_uploads(lost, [one], claimed=frozenset()) == undecided
    too_old = entry(
        "VI1", status="PARSE", video_name=OPAQUE[0], size=1000, create_time=int(NOON.timestamp() * 1000) - 301_000
    )
    assert find_lost_uploads(lost[:1], [too_old], claimed=frozenset()) == {SHA256[0]: Verdict.ABSENT}
