"""Contract §9.56-9.58: deleting videos."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from visualsearch_pipeline.api import InvalidInput, UniqueIdScope, VisualSearchClient
from visualsearch_pipeline.sandbox import Sandbox, SeededVideo

if TYPE_CHECKING:
    from tests.contract.conftest import Answering, Connect, Speak, Start, Wire


def test_56_deletions_are_bare_arrays_of_at_most_100_with_the_scope_in_the_query(
    answering: Answering, connect: Connect
) -> None:
    client = connect(answering.url, scope=UniqueIdScope("street"))
    answering.say_data(None)
    client.delete_videos([])
    assert answering.received == []
    video_nos = [f"VI{number}" for number in range(250)]
    client.delete_videos([*video_nos, video_nos[0]])
    bodies = [json.loads(body) for _, body in answering.received]
    assert [len(body) for body in bodies] == [100, 100, 50]
    assert [video_no for body in bodies for video_no in body] == video_nos
    assert {target for target, _ in answering.received} == {"/serve/api/v1/delete_videos?unique_id=street"}


def test_56_the_sandbox_takes_a_bare_array_of_at_most_100(server: Sandbox, wire: Wire) -> None:
    video_nos = server.seed([SeededVideo(video_name="a"), SeededVideo(video_name="b")])
    assert wire.post("delete_videos", {"video_nos": video_nos})["code"] == "0003"
    assert wire.post("delete_videos", [f"VI{number}" for number in range(101)])["code"] == "0001"
    assert len(server.videos()) == 2
    assert wire.post("delete_videos", video_nos, unique_id="default")["code"] == "0000"
    assert server.videos() == []


@pytest.mark.parametrize("repeat_is_conflict", [False, True])
def test_57_0000_and_0409_are_both_success_and_58_unknown_ids_bring_one_or_the_other(
    start: Start,
    speak: Speak,
    connect: Connect,
    repeat_is_conflict: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    server = start(repeat_delete_is_conflict=repeat_is_conflict)
    client = connect(server)
    (video_no,) = server.seed([SeededVideo(video_name="a")])
    client.delete_videos([video_no])
    client.delete_videos([video_no])
    assert list(client.iter_videos()) == []
    assert [entry.code for entry in server.journal(operation="delete_videos")] == [
        "0000",
        "0409" if repeat_is_conflict else "0000",
    ]
    assert speak(server).post("delete_videos", ["VI1"])["code"] == ("0409" if repeat_is_conflict else "0000")


def test_57_success_in_the_wrong_scope_shows_in_a_list(
    server: Sandbox, client: VisualSearchClient, connect: Connect
) -> None:
    (video_no,) = server.seed([SeededVideo(video_name="a")])
    connect(server, scope=UniqueIdScope("elsewhere")).delete_videos([video_no])
    assert [video.video_no for video in client.iter_videos(video_nos=[video_no])] == [video_no]


def test_58_known_ids_are_deleted_although_others_are_unknown(server: Sandbox, client: VisualSearchClient) -> None:
    known = server.seed([SeededVideo(video_name="a"), SeededVideo(video_name="b")])
    client.delete_videos(["VI1", known[0], "VI2"])
    assert [video.video_no for video in server.videos()] == [known[1]]
    with pytest.raises(InvalidInput):
        client.delete_videos([""])
