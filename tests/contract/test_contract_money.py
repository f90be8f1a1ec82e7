"""Contract §9.59-9.62: callbacks, credits, and ids that follow from clock and seed."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import wait_until
from visualsearch_pipeline.api import InsufficientCredits, InvalidRequest
from visualsearch_pipeline.ledger import VideoState
from visualsearch_pipeline.pipeline.errors import BudgetExceeded
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeProject
    from tests.contract.conftest import Answering, Connect, Speak, Start

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SNOWFLAKE_EPOCH_MS = 1_609_459_200_000


def wait_for(received: list[tuple[str, bytes]], count: int) -> list[dict[str, Any]]:
    """The callbacks, once there are so many and no more come."""
    wait_until(lambda: len(received) >= count, seconds=20, told=lambda: f"{count} callbacks, but {received}")
    # Another would follow at once, and nothing tells that there is none.
    time.sleep(0.5)
    return [json.loads(body) for _, body in received]


def test_59_only_asking_changes_a_state_whatever_is_called_back(make_project: MakeProject) -> None:
    project = make_project(("red",))
    server = project.server
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        upload(pipeline)
        server.settle()
        assert [video.status for video in server.videos()] == ["PARSE"]
        # The pipeline asks for no callback and listens for none, so nothing that is sent can change what it knows.
        assert [entry.params.keys() & {"callback", "callback_url"} for entry in project.calls("upload")] == [set()]
        assert server.callbacks() == []
        assert len(pipeline.ledger.videos.in_state(VideoState.INDEXING)) == 1
        poll(pipeline)
        assert len(pipeline.ledger.videos.in_state(VideoState.READY)) == 1


def test_60_a_callback_is_sent_once_however_it_is_answered(
    start: Start, connect: Connect, answering: Answering, red_clip: Path
) -> None:
    answering.say({"error": "not today"}, status=500)
    server = start()
    uploaded = connect(server).upload(red_clip, upload_name="a.mp4", callback=f"{answering.url}/hook")
    server.settle()
    assert wait_for(answering.received, 1) == [{"videoNo": uploaded.video_no, "status": "PARSE"}]
    assert [(sent.answer_status, sent.failure) for sent in server.callbacks()] == [(500, None)]


@pytest.mark.parametrize("copies", [0, 2])
def test_60_callbacks_come_never_twice_late_or_in_the_wrong_order_as_told(
    start: Start, connect: Connect, answering: Answering, red_clip: Path, copies: int
) -> None:
    answering.say({})
    late = {"callback_copies": copies, "callback_reversed": True, "callback_delay_seconds": 0.3}
    server = start(frozen_at=NOON, indexing_seconds=60, **late)
    video_nos = [
        connect(server).upload(red_clip, upload_name=f"{number}.mp4", callback=f"{answering.url}/hook").video_no
        for number in range(2)
    ]
    server.settle()
    assert answering.received == []
    began = time.monotonic()
    server.clock.advance(60)
    server.settle()
    told = [callback["videoNo"] for callback in wait_for(answering.received, 2 * copies)]
    assert told == [video_nos[1]] * copies + [video_nos[0]] * copies
    assert time.monotonic() - began >= 0.3


def test_61_failed_calls_are_free_and_an_empty_account_is_refused(
    start: Start, connect: Connect, speak: Speak, red_clip: Path
) -> None:
    server = start(credits_usd=0.001)
    client = connect(server)
    video_no = client.upload(red_clip, upload_name="a.mp4").video_no
    server.settle()
    indexing_usd = 15 / 1000 * 3 / 60
    assert server.credits.spent_usd("sandbox") == pytest.approx(indexing_usd)
    assert speak(server).post("search", {"search_param": "red", "top_k": 0})["code"] == "0001"
    with pytest.raises(InvalidRequest):
        client.upload_url("http://127.0.0.1:9/a.mp4")
    assert server.credits.spent_usd("sandbox") == pytest.approx(indexing_usd)
    client.search("red", top_k=5)
    assert server.credits.spent_usd("sandbox") == pytest.approx(indexing_usd + 0.0001)
    server.credits.charge("sandbox", operation="test", amount_usd=0.001)
    with pytest.raises(InsufficientCredits):
        client.search("red", top_k=5)
    assert server.journal()[-1].code == "0402"
    assert client.get_metadata(video_no) is not None  # what costs nothing still answers


def test_61_a_budget_stops_before_the_call_that_would_pass_it(make_project: MakeProject) -> None:
    project = make_project(("red", "blue"))
    one_video_usd = 3 / 60 * 15 / 1000
    project.configure(budget={"per_run_usd": 1.5 * one_video_usd}, api={"concurrent_transfers": 1})
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        with pytest.raises(BudgetExceeded, match=f"prices as of {project.settings.budget.prices.as_of}"):
            upload(pipeline)
        assert pipeline.ledger.calls.spent_usd(run_id=pipeline.run_id) == pytest.approx(one_video_usd)
    assert len(project.calls("upload")) == len(project.server.videos()) == 1


def numbers(video_nos: list[str]) -> list[int]:
    return [int(video_no.removeprefix("VI")) for video_no in video_nos]


def test_62_ids_are_made_of_the_clock_and_unique_within_a_millisecond(
    start: Start, connect: Connect, red_clip: Path
) -> None:
    server = start(frozen_at=NOON)
    client = connect(server)
    ids = numbers([client.upload(red_clip, upload_name="a.mp4").video_no for _ in range(5)])
    assert len(set(ids)) == 5
    assert {(number >> 22) + SNOWFLAKE_EPOCH_MS for number in ids} == {round(NOON.timestamp() * 1000)}
    assert {video.created_at for video in client.iter_videos()} == {NOON}


def test_62_the_same_seed_and_clock_give_the_same_answers(
    start: Start, connect: Connect, red_clip: Path, red_picture: Path
) -> None:
    def story(server: Sandbox) -> list[object]:
        client = connect(server)
        video_no = client.upload(red_clip, upload_name="a.mp4").video_no
        task_id = client.import_posts(["https://www.tiktok.com/@wolves/video/1"])
        server.settle()
        return [
            video_no,
            task_id,
            client.get_task_videos(task_id),
            client.upload_images([red_picture]),
            client.search("red square", top_k=10),
            client.search_similar_images(red_picture, similarity=0.3),
            client.get_video_caption(video_no),
            [video.model_dump() for video in client.iter_videos()],
        ]

    first, second, other = (story(start(frozen_at=NOON, seed=seed)) for seed in (7, 7, 8))
    assert first == second
    assert first[0] != other[0]
