"""Contract §9.40-9.47: searching by text, by image and by phrase."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from visualsearch_pipeline.api import FilteringLevel, InvalidInput, SearchKind, VisualSearchClient
from visualsearch_pipeline.sandbox import Dialect, Sandbox, SeededClip, SeededVideo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contract.conftest import Answering, Connect, Speak, Start, Wire


@pytest.fixture
def filled(start: Start, connect: Connect, dialect: Dialect, red_clip: Path, red_picture: Path) -> Sandbox:
    """A sandbox of each dialect with a video and an image of the same red square."""
    server = start(dialect=dialect)
    client = connect(server)
    client.upload(red_clip, upload_name="clip.mp4")
    client.upload_images([red_picture])
    server.settle()
    return server


def test_40_array_page_of_images_and_captions_are_read_alike(filled: Sandbox, connect: Connect) -> None:
    client = connect(filled)
    (video,) = filled.videos()
    for kind in (SearchKind.CLIPS, SearchKind.AUDIO, SearchKind.CAPTIONS):
        hits = client.search("red warranty", kind=kind, top_k=5)
        assert [(hit.video_no, hit.start_seconds is not None) for hit in hits] == [(video.video_no, True)], kind
        assert client.search("zeppelin", kind=kind, top_k=5) == ()
    (image,) = client.search_images("red", top_k=5)
    assert image.score is not None
    assert client.search_images("zeppelin", top_k=5) == ()


@pytest.mark.parametrize("nothing", [None, []])
def test_40_null_and_an_empty_array_are_both_nothing_found(
    answering: Answering, connect: Connect, nothing: object
) -> None:
    answering.say_data(nothing)
    client = connect(answering.url)
    assert client.search("red", top_k=5) == ()
    assert client.search_images("red", top_k=5) == ()


@pytest.mark.parametrize(
    ("start", "end", "read", "is_reversed"),
    [
        ("13", "18", (13.0, 18.0), False),
        (13, 18.5, (13.0, 18.5), False),
        ("null", "null", (None, None), False),
        ("13", None, (13.0, None), False),
        ("18", "13", (18.0, 13.0), True),
    ],
)
def test_41_times_are_seconds_or_unknown_and_a_reversed_pair_is_kept_and_flagged(
    answering: Answering,
    connect: Connect,
    start: object,
    end: object,
    read: tuple[float | None, float | None],
    is_reversed: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    item = {"videoNo": "VI1", "startTime": start, "endTime": end, "score": 0.5}
    answering.say_data([{key: value for key, value in item.items() if value is not None}])
    (hit,) = connect(answering.url).search("red", top_k=5)
    assert (hit.start_seconds, hit.end_seconds) == read
    assert hit.is_reversed is is_reversed


def test_41_whole_videos_of_2025_had_null_for_their_times(
    start: Start, speak: Speak, connect: Connect, red_clip: Path
) -> None:
    server = start(dialect=Dialect.LIVE_2025)
    connect(server).upload(red_clip, upload_name="a.mp4")
    server.settle()
    data = speak(server).post("search", {"search_param": "red", "search_type": "BY_VIDEO"})["data"]
    assert [(item["startTime"], item["endTime"]) for item in data] == [("null", "null")]
    assert "score" not in data[0]


LEVELS = [(None, 0.0), (FilteringLevel.LOW, 0.15), (FilteringLevel.MEDIUM, 0.225), (FilteringLevel.HIGH, 0.4)]


def test_42_filtering_levels_cut_at_their_scores(server: Sandbox, client: VisualSearchClient) -> None:
    captions = ("red truck at night by the harbour", "red truck", "red door of a small house", "red", "truck stop")
    clips = tuple(
        SeededClip(start_seconds=5 * number, end_seconds=5 * number + 5, caption=caption)
        for number, caption in enumerate(captions)
    )
    server.seed([SeededVideo(video_name="street", clips=clips)])
    query = "a red truck at night by the old harbour wall"
    every = client.search(query, top_k=100)
    scores = [hit.score for hit in every if hit.score is not None]
    assert scores == sorted(scores, reverse=True)
    counts = []
    for level, least in LEVELS:
        kept = client.search(query, top_k=100, filtering_level=level)
        assert list(kept) == [hit for hit in every if hit.score is not None and hit.score >= least]
        counts.append(len(kept))
    assert counts[0] > counts[-1] > 0


def test_42_similarity_is_085_unless_said_and_top_k_has_a_range(
    server: Sandbox, client: VisualSearchClient, wire: Wire, red_clip: Path, blue_clip: Path, red_picture: Path
) -> None:
    red = wire.upload(red_clip)
    wire.upload(blue_clip)
    server.settle()
    by_default = wire.send("search_similar_images", red_picture, media_type="image/png")["data"]
    said = wire.send("search_similar_images", red_picture, media_type="image/png", similarity="0.85")["data"]
    assert by_default == said
    assert {item["videoNo"] for item in by_default} == {red}
    assert len(client.search_similar_images(red_picture, similarity=0.0)) > len(by_default)
    for top_k, search_type in ((0, "BY_CLIP"), (1001, "BY_CLIP"), (201, "BY_CAPTION"), (-1, "BY_AUDIO")):
        body = {"search_param": "red", "search_type": search_type, "top_k": top_k}
        assert wire.post("search", body)["code"] == "0001", body
    assert wire.send("search_similar_images", red_picture, media_type="image/png", similarity="1.1")["code"] == "0001"


def test_43_what_would_be_refused_is_not_sent(server: Sandbox, client: VisualSearchClient) -> None:
    refused: tuple[Callable[[], object], ...] = (
        lambda: client.search(" ", top_k=5),
        lambda: client.search("red", top_k=0),
        lambda: client.search("red", top_k=1001),
        lambda: client.search("red", kind=SearchKind.CAPTIONS, top_k=201),
    )
    for call in refused:
        with pytest.raises(InvalidInput):
            call()
    assert server.journal() == []


def test_43_more_than_100_videos_are_asked_in_parts_and_merged_by_score(
    server: Sandbox, client: VisualSearchClient, wire: Wire
) -> None:
    fine = SeededClip(start_seconds=0, end_seconds=5, caption="red truck")
    faint = SeededClip(start_seconds=0, end_seconds=5, caption="red")
    names = [f"video {number}" for number in range(130)]
    video_nos = server.seed(
        [SeededVideo(video_name=name, clips=(fine if name.endswith("7") else faint,)) for name in names]
    )
    hits = client.search("red truck", top_k=20, video_nos=video_nos)
    assert len(server.journal(operation="search")) == 2
    every = [video_no for video_no, name in zip(video_nos, names, strict=True) if name.endswith("7")]
    assert len(hits) == 20
    assert {hit.video_no for hit in hits[: len(every)]} == set(every)
    assert wire.post("search", {"search_param": "red", "video_nos": video_nos[:101]})["code"] == "0001"


def test_44_before_it_is_parsed_a_video_is_not_found_and_that_is_no_error(
    start: Start, connect: Connect, red_clip: Path
) -> None:
    server = start(frozen_at=datetime(2026, 5, 1, tzinfo=UTC), indexing_seconds=60)
    client = connect(server)
    client.upload(red_clip, upload_name="a.mp4")
    server.settle()
    assert client.search("red", top_k=5) == ()
    assert client.search_audio_transcripts("warranty").hits == ()
    server.clock.advance(60)
    assert len(client.search("red", top_k=5)) == 1
    assert len(client.search_audio_transcripts("warranty").hits) == 1


def test_45_a_phrase_is_a_substring_in_any_case_paged_and_without_an_end(
    server: Sandbox, client: VisualSearchClient, wire: Wire
) -> None:
    lines = ("The Warranty ends in May", "no WARRANTY at all", "warrant officer", "100% sure")
    clips = tuple(
        SeededClip(start_seconds=10 * number, end_seconds=10 * number + 5, spoken=line)
        for number, line in enumerate(lines)
    )
    server.seed([SeededVideo(video_name="talk", clips=clips)])
    hits = list(client.iter_audio_transcripts("wArRaNtY", page_size=1))
    assert [(hit.text, hit.start_seconds, hit.end_seconds, hit.score) for hit in hits] == [
        ("The Warranty ends in May", 0.0, None, None),
        ("no WARRANTY at all", 10.0, None, None),
    ]
    assert len(client.search_audio_transcripts("warrant").hits) == 3
    data: dict[str, Any] = wire.get("search_audio_transcripts", query="warranty", page=2, page_size=1)["data"]
    assert (data["current_page"], data["page_size"], data["total_count"]) == (2, 1, "2")
    assert [item.keys() & {"endTime", "score"} for item in data["videos"]] == [set()]


def test_46_similar_images_need_no_end(start: Start, connect: Connect, red_clip: Path, red_picture: Path) -> None:
    server = start(dialect=Dialect.LIVE_2025)
    client = connect(server)
    client.upload(red_clip, upload_name="a.mp4")
    server.settle()
    hits = client.search_similar_images(red_picture, similarity=0.5)
    assert hits
    assert {hit.end_seconds for hit in hits} == {None}


def test_47_a_capture_time_is_utc_text_in_searches_and_milliseconds_in_lists(
    server: Sandbox, client: VisualSearchClient, red_clip: Path
) -> None:
    # The documents' own pair of times (contract §1.7), asked for from another zone.
    taken = datetime.fromtimestamp(1757285520, tz=timezone(timedelta(hours=5, minutes=30)))
    client.upload(red_clip, upload_name="a.mp4", captured_at=taken)
    server.settle()
    for moment, found in ((taken, 1), (taken + timedelta(seconds=1), 0)):
        assert len(client.list_videos(taken_after=moment).videos) == found
        assert len(client.search("red", top_k=5, taken_after=moment)) == found
    sent = {entry.operation: entry.params["datetime_taken"] for entry in reversed(server.journal())}
    assert sent == {
        "upload": "2025-09-07 22:52:00",
        "list_videos": "1757285520000",
        "search": "2025-09-07 22:52:00",
    }
    assert client.list_videos().videos[0].captured_at == taken
