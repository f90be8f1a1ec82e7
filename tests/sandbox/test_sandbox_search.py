"""What the searches find, and in which shape (contract §2.8-2.11, §2.15, §9.40-50)."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image, ImageDraw

from visualsearch_pipeline.sandbox import Sandbox, SeededClip, SeededVideo

if TYPE_CHECKING:
    from tests.sandbox.conftest import Api, Footage, Json, Start

AsFile = Callable[..., Path]


@pytest.fixture
def library(api: Api, server: Sandbox, footage: Footage) -> dict[str, str]:
    """A small indexed library: ids by name."""
    ids = {
        "red": api.upload(footage.red_circle, tags=["day:2026-01-02"], camera_model="X100"),
        "blue": api.upload(footage.blue_square, tags=["harbour cam"]),
        "green": api.upload(footage.green_triangle),
        "scenes": api.upload(footage.two_scenes),
    }
    server.settle()
    return ids


def similar(api: Api, path: Path, **fields: Any) -> list[Json]:
    answer = api.send_file("search_similar_images", path, media_type="image/png", **fields)
    assert answer["code"] == "0000", answer
    return list(answer["data"])


def test_words_of_the_picture_find_its_clips(api: Api, library: dict[str, str]) -> None:
    hits = api.search("a blue square")
    assert [hit["videoNo"] for hit in hits[:2]] == [library["blue"]] * 2
    assert hits[0]["score"] > 0.9
    assert all(0 < hit["score"] <= 1 for hit in hits)
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert {hit["videoNo"] for hit in api.search("yellow")} == {library["scenes"]}
    assert api.search("a purple elephant at the dentist") == []


def test_words_of_name_and_tag_find_the_whole_video(api: Api, library: dict[str, str]) -> None:
    by_name, by_tag = api.search("meadow"), api.search("harbour")
    assert [(hit["videoNo"], hit["startTime"], hit["endTime"]) for hit in by_name] == [(library["green"], "0", "3")]
    assert {hit["videoNo"] for hit in by_tag} == {library["blue"]}
    assert len(by_tag) == 2
    assert api.search("api") == []  # The tag that the service adds says nothing.


def test_clips_follow_each_other_and_end_at_the_cut(api: Api, library: dict[str, str]) -> None:
    caption = api.get("get_video_caption", video_no=library["scenes"])["data"]["transcriptions"]
    assert [(line["startTime"], line["endTime"]) for line in caption] == [("0", "3"), ("3", "6")]
    assert "red circle" in caption[0]["content"]
    assert "yellow square" in caption[1]["content"]


def test_the_same_question_has_the_same_answer(api: Api, library: dict[str, str]) -> None:
    assert api.search("a red shape moving right") == api.search("a red shape moving right")


def test_filtering_levels_cut_at_the_documented_scores(api: Api, library: dict[str, str]) -> None:
    question = "red elephant dentist moon bakery"  # One word in five: 0.19 for a caption.
    scores = {
        level: [hit["score"] for hit in api.search(question, filtering_level=level)] for level in ("low", "medium")
    }
    assert scores["medium"] == []
    assert scores["low"]
    assert all(0.15 <= score < 0.225 for score in scores["low"])
    assert api.search("red elephant dentist", filtering_level="high") == []
    assert api.search("red circle", filtering_level="high")
    assert api.post("search", {"search_param": "red", "filtering_level": "extreme"})["code"] == "0003"


def test_top_k_is_obeyed_and_bounded(api: Api, library: dict[str, str]) -> None:
    everything = api.search("background")
    assert len(everything) == 7
    assert api.search("background", top_k=3) == everything[:3]
    for search_type, low, high in (("BY_CLIP", 1, 1000), ("BY_AUDIO", 1, 1000), ("BY_CAPTION", 1, 200)):
        for top_k, code in ((low - 1, "0001"), (low, "0000"), (high, "0000"), (high + 1, "0001")):
            body = {"search_param": "red", "search_type": search_type, "top_k": top_k}
            assert api.post("search", body)["code"] == code, body


def test_search_filters(api: Api, library: dict[str, str]) -> None:
    def found(**body: Any) -> set[str]:
        return {hit["videoNo"] for hit in api.search("background", **body)}

    assert found(video_nos=[library["red"], library["green"]]) == {library["red"], library["green"]}
    assert found(tag="day:2026-01-02") == {library["red"]}
    assert found(camera_tag="X100") == {library["red"]}
    assert found(datetime_taken="2026-01-01 00:00:00") == set()
    assert found(unique_id="elsewhere") == set()
    refused: list[dict[str, Any]] = [
        {"video_nos": ["VI1"] * 101},
        {"latitude": 1.0},
        {"datetime_taken": 1757285520000},
        {"search_param": " "},
    ]
    for body in refused:
        assert api.post("search", {"search_param": "red", **body})["code"] in {"0001", "0003"}, body
    assert api.post("search", {"search_param": "red", "search_type": "BY_SMELL"})["code"] == "0003"


def test_by_audio_finds_spoken_lines_only(api: Api, library: dict[str, str]) -> None:
    (hit,) = api.search("warranty", search_type="BY_AUDIO")
    assert (hit["videoNo"], hit["startTime"], hit["endTime"]) == (library["red"], "3", "5")
    assert hit["audio_ts"] == "The Warranty ends in May"
    assert api.search("circle", search_type="BY_AUDIO") == []


def test_by_caption_has_a_shape_of_its_own(api: Api, library: dict[str, str]) -> None:
    (hit,) = api.search("green triangle", search_type="BY_CAPTION", top_k=1)
    assert set(hit) == {"video_no", "text", "vector", "user_id", "start_time", "end_time", "score"}
    assert (hit["video_no"], hit["start_time"], hit["end_time"]) == (library["green"], 0.0, 3.0)
    assert all(isinstance(hit[key], float) for key in ("start_time", "end_time", "score"))
    assert len(hit["user_id"]) == 32


def test_by_video_is_an_alias_of_by_clip_today(api: Api, library: dict[str, str]) -> None:
    assert api.search("red circle", search_type="BY_VIDEO") == api.search("red circle", search_type="BY_CLIP")


def test_a_frame_finds_its_own_clip_first(
    api: Api, library: dict[str, str], draw: Callable[..., Image.Image], as_file: AsFile
) -> None:
    frames = {
        "red": draw(shape="circle", colour="red", at=0.3),
        "blue": draw(shape="square", colour="blue", background="white", at=0.3),
        "green": draw(shape="triangle", colour="green", background="white", at=0.3),
        "scenes": draw(shape="square", colour="yellow", at=0.45),
    }
    for name, frame in frames.items():
        hits = similar(api, as_file(frame, f"{name}.png"))
        assert hits[0]["videoNo"] == library[name], name
        assert hits[0]["score"] > 0.9
        assert all(hit["score"] >= 0.85 for hit in hits)
    (hit,) = similar(api, as_file(frames["scenes"], "again.png"))
    assert (hit["startTime"], hit["endTime"]) == ("3", "6")


def test_a_keyframe_that_was_downloaded_finds_itself(api: Api, library: dict[str, str], tmp_path: Path) -> None:
    clip = api.search("yellow square")[0]
    place = {"bucket": clip["keyframe_bucket"], "blob": clip["keyframe_blob"]}
    keyframe = tmp_path / "keyframe.jpg"
    keyframe.write_bytes(api.http.get("/download", params=place).content)
    hit = similar(api, keyframe)[0]
    assert (hit["videoNo"], hit["keyframe_blob"]) == (library["scenes"], clip["keyframe_blob"])
    assert hit["score"] > 0.999


def test_another_colour_or_shape_is_below_the_default_similarity(
    api: Api, library: dict[str, str], draw: Callable[..., Image.Image], as_file: AsFile, noise: Image.Image
) -> None:
    for number, picture in enumerate(
        (
            draw(colour="purple"),
            draw(shape="square", colour="red"),
            draw(shape="triangle", colour="red"),
            draw(colour="red", background="white"),
            Image.new("RGB", (64, 64), "red"),
            noise,
        )
    ):
        assert similar(api, as_file(picture, f"{number}.png")) == []


def test_similarity_is_a_threshold_in_0_to_1(
    api: Api, library: dict[str, str], draw: Callable[..., Image.Image], as_file: AsFile
) -> None:
    query = as_file(draw(shape="square", colour="red"))
    hits = similar(api, query, similarity="0.5")
    assert {hit["videoNo"] for hit in hits} >= {library["red"]}
    assert all(0.5 <= hit["score"] < 0.85 for hit in hits)
    for wrong in ("-0.1", "1.1", "much"):
        answer = api.send_file("search_similar_images", query, media_type="image/png", similarity=wrong)
        assert answer["code"] in {"0001", "0003"}


def test_search_within_a_video_needs_all_three(
    api: Api, library: dict[str, str], draw: Callable[..., Image.Image], as_file: AsFile
) -> None:
    query = as_file(draw(shape="square", colour="yellow", at=0.45))

    def ask(**fields: Any) -> Json:
        return api.send_file("search_clips_by_image", query, media_type="image/png", **fields)

    (hit,) = ask(video_no=library["scenes"], prompt="the yellow square")["data"]
    assert (hit["start_time"], hit["end_time"]) == (3.0, 6.0)
    assert isinstance(hit["start_time"], float)
    assert hit["score"] > ask(video_no=library["scenes"], prompt="an elephant")["data"][0]["score"]
    assert ask(video_no=library["green"], prompt="the yellow square")["data"] == []
    assert ask(video_no="VI1", prompt="x")["data"] == []
    assert ask(prompt="x")["code"] == ask(video_no=library["red"])["code"] == "0001"
    assert ask(video_no=library["red"], prompt="x")["msg"] == "success"
    assert ask(video_no=library["red"])["msg"] == "The prompt parameter cannot be empty!"


@pytest.mark.parametrize(
    ("name", "media_type", "content"),
    [
        ("query.txt", "image/png", b"x"),
        ("query.png", "application/octet-stream", b"x"),
        ("query.png", "image/png", b""),
        ("query.png", "image/png", b"this is text"),
    ],
)
def test_what_is_no_image_is_refused(api: Api, tmp_path: Path, name: str, media_type: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert api.send_file("search_similar_images", path, media_type=media_type)["code"] == "0001"


def test_an_image_over_20_mb_is_refused(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue() + bytes(20 * 1024**2))
    assert "larger than" in api.send_file("search_similar_images", path, media_type="image/png")["msg"]


def test_transcript_search_is_a_paged_substring_match(
    api: Api, server: Sandbox, tmp_path: Path, encode_clip: Callable[..., Path]
) -> None:
    lines = tuple((float(number), number + 0.5, f"100% of word_{number}") for number in range(5))
    video_no = api.upload(encode_clip(tmp_path / "talk.mp4", lines=lines))
    server.settle()

    def ask(query: str, **params: object) -> Json:
        answer = api.get("search_audio_transcripts", query=query, **params)
        return dict(answer["data"])

    page = ask("WORD_", page=2, page_size=2)
    assert (page["current_page"], page["page_size"], page["total_count"]) == (2, 2, "5")
    assert page["videos"] == [
        {
            "videoNo": video_no,
            "videoName": "talk",
            "startTime": str(number),
            "audio_ts": f"100% of word_{number}",
            "video_bucket": "mavi-resource",
            "video_blob": f"{video_no}.mp4",
        }
        for number in (2, 3)
    ]
    assert ask("100%")["total_count"] == "5"
    assert ask("%_%")["total_count"] == "0"
    assert ask("f word_4")["total_count"] == "1"
    for wrong in ({"query": ""}, {"query": "x", "page_size": 501}, {"query": "x", "page": 0}):
        assert api.get("search_audio_transcripts", **wrong)["code"] == "0001"


def test_transcription_and_caption_have_the_documented_shape(api: Api, library: dict[str, str]) -> None:
    spoken = api.get("get_audio_transcription", video_no=library["red"])["data"]
    assert spoken["transcriptions"] == [
        {"index": 0, "content": " where is the love", "startTime": "0", "endTime": "2"},
        {"index": 1, "content": " The Warranty ends in May", "startTime": "3", "endTime": "5"},
    ]
    assert isinstance(spoken["createTime"], str)
    assert api.get("get_audio_transcription", video_no=library["blue"])["data"] is None  # Nothing is spoken in it.
    caption = api.get("get_video_caption", video_no=library["blue"])
    assert caption == api.get("get_video_transcription", video_no=library["blue"])
    assert "blue square moving right on a bright white background" in caption["data"]["transcriptions"][0]["content"]
    assert api.get("get_video_caption", video_no="VI1")["data"] is None


def test_similar_images_had_no_end_in_2025(
    start: Start, connect: Callable[..., Api], footage: Footage, draw: Callable[..., Image.Image], as_file: AsFile
) -> None:
    server = start(dialect="live-2025")
    api = connect(server)
    api.upload(footage.red_circle)
    server.settle()
    (hit,) = similar(api, as_file(draw()))
    assert set(hit) == {"videoNo", "videoName", "startTime", "score"}


def test_images_go_to_their_own_library_and_are_found_by_text(
    api: Api, server: Sandbox, draw: Callable[..., Image.Image], as_file: AsFile
) -> None:
    red, blue = as_file(draw(colour="red"), "one.png"), as_file(draw(colour="blue"), "two.jpg")
    with red.open("rb") as first, blue.open("rb") as second:
        parts = [("files", ("one.png", first, "image/png")), ("files", ("two.jpg", second, "image/jpeg"))]
        answer = api.http.post("/upload_img", files=parts, data={"camera_model": "X100"}).json()
    ids = [item["id"] for item in answer["data"]]
    assert all(image_id > 2**53 for image_id in ids)
    found = api.post("search", {"search_param": "a blue circle", "search_type": "BY_IMAGE"})["data"]
    assert (found["current_page"], found["page_size"], found["total_count"]) == (0, 20, 2)
    best = found["item"][0]
    assert (best["id"], best["name"], best["camera_model"]) == (ids[1], "two", "X100")
    assert httpx.get(best["img_url"], trust_env=False).content == blue.read_bytes()  # Signed: it needs no key.
    assert httpx.get(best["img_url"].replace("Signature=", "Signature=0"), trust_env=False).status_code == 403
    server.clock.advance(3601)
    assert httpx.get(best["img_url"], trust_env=False).status_code == 403
    assert api.search("a blue circle") == []


def test_one_bad_image_rejects_the_batch(api: Api, draw: Callable[..., Image.Image], as_file: AsFile) -> None:
    good = as_file(draw())
    with good.open("rb") as file:
        parts: Any = [("files", ("good.png", file, "image/png")), ("files", ("bad.png", b"text", "image/png"))]
        assert api.http.post("/upload_img", files=parts).json()["code"] == "0001"
    found = api.post("search", {"search_param": "red circle", "search_type": "BY_IMAGE"})["data"]
    assert found["item"] == []
    too_many = [("files", (f"{number}.png", b"x", "image/png")) for number in range(21)]
    assert "cannot exceed 20" in api.http.post("/upload_img", files=too_many).json()["msg"]


def test_several_things_in_a_scene_are_named(api: Api, server: Sandbox, tmp_path: Path) -> None:
    picture = Image.new("RGB", (320, 240), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((40, 60, 120, 180), fill="red")
    pen.rectangle((200, 60, 280, 180), fill="blue")
    path = tmp_path / "flags.png"
    picture.save(path)
    with path.open("rb") as file:
        api.http.post("/upload_img", files=[("files", ("flags.png", file, "image/png"))])
    scores = [
        api.post("search", {"search_param": f"a {colour} thing", "search_type": "BY_IMAGE"})["data"]["total_count"]
        for colour in ("red", "blue", "green")
    ]
    assert scores == [1, 1, 0]


def test_a_seeded_library_is_found_like_any_other(api: Api, server: Sandbox) -> None:
    night, noon = (
        SeededClip(start_seconds=0, end_seconds=5, caption="a red truck at night"),
        SeededClip(start_seconds=5, end_seconds=10, caption="a green field", spoken="harvest begins"),
    )
    ids = server.seed(
        SeededVideo(video_name=f"day-{number}", clips=(night, noon) if number % 50 == 0 else (noon,), tags=("farm",))
        for number in range(500)
    )
    assert len(set(ids)) == 500
    hits = api.search("red truck", top_k=1000)
    assert {hit["videoNo"] for hit in hits} == set(ids[::50])
    assert {(hit["startTime"], hit["endTime"]) for hit in hits} == {("0", "5")}
    assert api.search("green field", top_k=1000, video_nos=ids[:3])[0]["score"] > 0.9
    assert api.get("search_audio_transcripts", query="harvest")["data"]["total_count"] == "500"
    listed = api.listed()
    assert [video["video_no"] for video in listed] == ids[:-201:-1]
    assert not {"bucket", "blob"} & set(listed[0])
    assert api.post("download", {"video_no": ids[0]})["msg"] == "download video error"
