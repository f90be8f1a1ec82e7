"""From UNPARSE to PARSE or failed (contract §2.6, §2.7, §5, §9.24)."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from PIL import Image

from visualsearch_pipeline.sandbox import Sandbox, TransitionPlan

if TYPE_CHECKING:
    from tests.sandbox.conftest import Api, Footage, Start

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def frozen(start: Start) -> Sandbox:
    return start(frozen_at=NEW_YEAR, indexing_seconds=60)


@pytest.fixture
def frozen_api(frozen: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(frozen)


def statuses(api: Api) -> dict[str, str]:
    return {video["video_name"]: video["status"] for video in api.listed()}


def test_a_video_is_ready_when_its_time_has_come_and_not_before(
    frozen: Sandbox, frozen_api: Api, footage: Footage
) -> None:
    frozen_api.upload(footage.red_circle)
    frozen.settle()
    assert statuses(frozen_api) == {"red-circle": "UNPARSE"}
    assert frozen_api.listed()[0]["duration"] == 0
    frozen.clock.advance(59)
    assert statuses(frozen_api) == {"red-circle": "UNPARSE"}
    frozen.clock.advance(1)
    assert statuses(frozen_api) == {"red-circle": "PARSE"}


def test_longer_footage_takes_longer_if_so_configured(
    start: Start, connect: Callable[..., Api], footage: Footage
) -> None:
    server = start(frozen_at=NEW_YEAR, indexing_seconds=10, indexing_seconds_per_minute=60)
    api = connect(server)
    api.upload(footage.red_circle)  # 6 s
    api.upload(footage.green_triangle)  # 3 s
    server.settle()
    server.clock.advance(13.5)
    assert statuses(api) == {"red-circle": "UNPARSE", "meadow": "PARSE"}
    server.clock.advance(2.5)
    assert statuses(api) == {"red-circle": "PARSE", "meadow": "PARSE"}


def test_metadata_is_what_the_file_holds(api: Api, server: Sandbox, footage: Footage) -> None:
    video_no = api.upload(footage.red_circle)
    server.settle()
    data = api.get("get_metadata", video_no=video_no)["data"]
    assert data["status"] == "PARSE"
    assert (data["width"], data["height"], data["fps"], data["resolution_label"]) == (160, 120, 5, "120P")
    assert (data["duration"], data["size"]) == (6, footage.red_circle.stat().st_size)
    assert (data["bucket"], data["blob"]) == ("mavi-resource", f"{video_no}.mp4")


@pytest.mark.parametrize("kind", ["text", "audio only", "other codec", "truncated"])
def test_what_cannot_be_decoded_fails_with_the_vendor_s_cause(
    api: Api, server: Sandbox, footage: Footage, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "broken.mp4"
    if kind == "text":
        path = footage.text_file
    elif kind == "audio only":
        path = tmp_path / "broken.mkv"
        with av.open(str(path), "w") as container:
            audio = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), dtype=np.int16), format="s16", layout="mono")
            frame.sample_rate = 8000
            container.mux(audio.encode(frame))
    elif kind == "other codec":
        with av.open(str(path), "w") as container:
            video = container.add_stream("mpeg4", rate=5)
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
            container.mux(
                video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), dtype=np.uint8), format="rgb24"))
            )
            container.mux(video.encode())
    else:
        path.write_bytes(footage.red_circle.read_bytes()[:500])
    video_no = api.upload(path)
    server.settle()
    data = api.get("get_metadata", video_no=video_no)["data"]
    assert (data["status"], data["cause"], data["duration"]) == ("FAILED", "Indexing failed. ", 0)
    assert api.search("red circle") == []


@pytest.mark.parametrize("codec", ["libx265", "libvpx-vp9"])
def test_the_other_accepted_codecs_are_indexed(
    api: Api, server: Sandbox, tmp_path: Path, encode_clip: Callable[..., Path], codec: str
) -> None:
    video_no = api.upload(encode_clip(tmp_path / "clip.mkv", seconds=1, codec=codec))
    server.settle()
    assert api.get("get_metadata", video_no=video_no)["data"]["status"] == "PARSE"


def test_keyframes_are_real_jpegs_one_per_second(api: Api, server: Sandbox, footage: Footage) -> None:
    api.upload(footage.red_circle)
    server.settle()
    (first, second) = api.search("red circle")
    assert (first["startTime"], first["endTime"], second["startTime"], second["endTime"]) == ("0", "5", "5", "6")
    assert first["keyframe_blob"].endswith("/keyframe-000002.jpg")
    answer = api.http.get("/download", params={"bucket": first["keyframe_bucket"], "blob": first["keyframe_blob"]})
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.size) == ("JPEG", (160, 120))
        red, green, blue = image.convert("RGB").getpixel((70, 60))  # type: ignore[misc]  # three bands
        assert red > 200 > 60 > max(green, blue)


def test_a_stuck_video_stays_unparsed_until_it_is_told_otherwise(
    frozen: Sandbox, frozen_api: Api, footage: Footage
) -> None:
    frozen.transitions.plan(TransitionPlan(file_name="red*", stuck=True))
    video_no = frozen_api.upload(footage.red_circle)
    frozen.settle()
    frozen.clock.advance(9 * 24 * 3600)
    assert statuses(frozen_api) == {"red-circle": "UNPARSE"}
    frozen.transitions.plan(TransitionPlan(video_no=video_no))
    assert statuses(frozen_api) == {"red-circle": "PARSE"}


def test_a_video_can_become_ready_after_so_many_reads(frozen: Sandbox, frozen_api: Api, footage: Footage) -> None:
    frozen.transitions.plan(TransitionPlan(ready_after_reads=2))
    video_no = frozen_api.upload(footage.red_circle)
    frozen.settle()
    seen = [frozen_api.get("get_metadata", video_no=video_no)["data"]["status"] for _ in range(4)]
    assert seen == ["UNPARSE", "UNPARSE", "PARSE", "PARSE"]


def test_videos_can_finish_out_of_order(frozen: Sandbox, frozen_api: Api, footage: Footage) -> None:
    frozen.transitions.plan(TransitionPlan(file_name="red-circle.mp4", ready_after_seconds=100))
    frozen.transitions.plan(TransitionPlan(file_name="harbour.mkv", ready_after_seconds=5))
    frozen_api.upload(footage.red_circle)
    frozen_api.upload(footage.blue_square)
    frozen.settle()
    frozen.clock.advance(5)
    assert statuses(frozen_api) == {"red-circle": "UNPARSE", "harbour": "PARSE"}
    frozen.clock.advance(95)
    assert statuses(frozen_api) == {"red-circle": "PARSE", "harbour": "PARSE"}


def test_a_video_can_fail_with_a_cause_and_recover(frozen: Sandbox, frozen_api: Api, footage: Footage) -> None:
    frozen.transitions.plan(
        TransitionPlan(ready_after_seconds=1, fail_with="Out of luck. ", recover_after_seconds=60, uses=1)
    )
    frozen_api.upload(footage.red_circle)
    frozen_api.upload(footage.blue_square)
    frozen.settle()
    frozen.clock.advance(1)
    assert statuses(frozen_api) == {"red-circle": "FAILED", "harbour": "UNPARSE"}
    assert frozen_api.listed()[1]["cause"] == "Out of luck. "
    frozen.clock.advance(59)
    assert statuses(frozen_api) == {"red-circle": "PARSE", "harbour": "PARSE"}


def test_an_unknown_video_has_null_metadata(api: Api) -> None:
    answer = api.get("get_metadata", video_no="VI1")
    assert (answer["code"], answer["data"]) == ("0000", None)
    assert api.get("get_metadata", video_no="")["code"] == "0001"
    assert api.get("get_metadata")["code"] == "0001"


def test_search_before_ready_finds_nothing(frozen: Sandbox, frozen_api: Api, footage: Footage) -> None:
    video_no = frozen_api.upload(footage.red_circle, tags=["red"])
    frozen.settle()
    assert frozen_api.search("red circle") == []
    assert frozen_api.search("warranty", search_type="BY_AUDIO") == []
    assert frozen_api.get("get_audio_transcription", video_no=video_no)["data"] is None
    assert frozen_api.get("get_video_caption", video_no=video_no)["data"] is None
    assert frozen_api.get("search_audio_transcripts", query="love")["data"]["videos"] == []
    frozen.clock.advance(60)
    assert len(frozen_api.search("red circle")) == 2


def test_lists_and_searches_can_lag_behind(start: Start, connect: Callable[..., Api], footage: Footage) -> None:
    server = start(frozen_at=NEW_YEAR, indexing_seconds=5, visibility_lag_seconds=2, search_lag_seconds=10)
    api = connect(server)
    video_no = api.upload(footage.red_circle)
    server.settle()
    assert api.listed() == []
    assert api.get("get_metadata", video_no=video_no)["data"] is None
    server.clock.advance(2)
    assert statuses(api) == {"red-circle": "UNPARSE"}
    server.clock.advance(12)
    assert statuses(api) == {"red-circle": "PARSE"}
    assert api.search("red circle") == []
    server.clock.advance(1)
    assert len(api.search("red circle")) == 2


def test_an_original_that_is_not_to_be_kept_is_indexed_and_dropped(api: Api, server: Sandbox, footage: Footage) -> None:
    video_no = api.upload(footage.red_circle, retain_original_video="False")
    server.settle()
    (hit, _) = api.search("red circle")
    assert "video_bucket" not in hit
    assert api.post("download", {"video_no": video_no})["msg"] == "download video error"
    place = {"bucket": hit["keyframe_bucket"], "blob": hit["keyframe_blob"]}
    assert api.http.get("/download", params=place).headers["content-type"] == "image/jpeg"
