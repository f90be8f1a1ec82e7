"""What a whole run promises: everything once, nothing twice, the same tables whatever dialect the service speaks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from visualsearch_pipeline.demo.encoding import encode_clip
from visualsearch_pipeline.sandbox import TransitionPlan

if TYPE_CHECKING:
    from PIL.Image import Image

    from tests.conftest import MakeProject, Project, Row

DIALECTS: dict[str, dict[str, Any]] = {
    "live-2025": {"unique_id": "default"},
    "spring-2026": {"unique_id": "a team's own"},
    "openapi": {"folder_id": -1},
}

HITS = """
    SELECT query_id, media_name, start_seconds, round(score, 6), text
    FROM hits LEFT JOIN videos USING (video_no) ORDER BY ALL
"""


class Asker:
    """The same questions put to the sandbox by hand: no code of ours between the question and the answer."""

    def __init__(self, project: Project, scope: dict[str, Any]) -> None:
        self._scope = scope
        self._image = project.root / "queries" / "images" / "red.png"
        self._http = httpx.Client(
            base_url=f"{project.server.url}/serve/api/v1",
            headers={"Authorization": project.server.api_key},
            trust_env=False,
        )

    def text(self, text: str, **more: object) -> Any:
        body = {"search_param": text, "search_type": "BY_CLIP", "top_k": 1000, **self._scope, **more}
        return self._data(self._http.post("/search", json=body))

    def phrase(self, text: str) -> Any:
        query = {"query": text, "page": 1, "page_size": 100, **self._scope}
        found = self._data(self._http.get("/search_audio_transcripts", params=query))
        videos: list[dict[str, Any]] = found["videos"]
        return videos

    def alike(self, similarity: float) -> Any:
        with self._image.open("rb") as file:
            form = {"similarity": similarity, **self._scope}
            return self._data(self._http.post("/search_similar_images", data=form, files={"file": file}))

    def inside(self, video_no: str, prompt: str) -> Any:
        with self._image.open("rb") as file:
            form = {"video_no": video_no, "prompt": prompt, **self._scope}
            return self._data(self._http.post("/search_clips_by_image", data=form, files={"file": file}))

    def close(self) -> None:
        self._http.close()

    @staticmethod
    def _data(response: httpx.Response) -> Any:
        answer = response.json()
        assert answer["code"] == "0000", answer
        return answer["data"]


def directly(project: Project, scope: dict[str, Any]) -> list[Row]:
    """The hits of the set `street` as the sandbox tells them: query, video, start, score."""
    asker = Asker(project, scope)
    found = [
        *(
            ("red", hit["videoNo"], float(hit["startTime"]), hit["score"])
            for hit in asker.text("red", filtering_level="low")
        ),
        *(("says", hit["videoNo"], float(hit["startTime"]), None) for hit in asker.phrase("warranty")),
        *(("looks", hit["videoNo"], float(hit["startTime"]), hit["score"]) for hit in asker.alike(0.7)),
    ]
    for video_no in {row[1] for row in found if row[0] == "red"}:
        found += (
            ("inside", video_no, hit["start_time"], hit["score"]) for hit in asker.inside(video_no, "the red square")
        )
    asker.close()
    return found


def as_set(rows: list[Row]) -> set[Row]:
    """Rows as a set; none of them twice."""
    distinct = set(rows)
    assert len(distinct) == len(rows)
    return distinct


def test_a_second_run_uploads_searches_and_downloads_nothing(project: Project) -> None:
    assert project.run().is_done
    first = project.sql("SELECT * FROM hits ORDER BY ALL")
    mark = project.mark()
    assert project.run().is_done
    assert project.calls(since=mark) == []
    assert project.sql("SELECT * FROM hits ORDER BY ALL") == first != []


def test_one_new_file_takes_one_upload_and_only_the_calls_it_needs(project: Project) -> None:
    project.run()
    before = set(project.sql(HITS))
    mark = project.mark()
    project.add_clip("red-2")
    project.run()
    new = project.billable_calls(since=mark)
    (video_no,) = (entry.item_ids[0] for entry in project.calls("upload", since=mark))
    assert sorted(new) == sorted(
        [
            "upload",
            *("search", "search_audio_transcripts", "search_similar_images", "search_clips_by_image"),
            *("get_audio_transcription", "get_video_caption"),
            *("download", "download_blob"),
        ]
    )
    # Where the service can be told which video, it was told the new one.
    (search,) = project.calls("search", since=mark)
    assert search.params["video_nos"] == f'["{video_no}"]'
    (inside,) = project.calls("search_clips_by_image", since=mark)
    assert inside.params["video_no"] == video_no
    after = set(project.sql(HITS))
    assert before < after
    assert {row[1] for row in after - before} == {"red-2.mp4"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_hit_is_in_the_table_once_in_every_dialect(make_project: MakeProject, dialect: str) -> None:
    project = make_project(("red", "red-2", "blue", "green"), dialect=dialect)
    project.configure(api={"scope": DIALECTS[dialect]})
    project.server.transitions.plan(TransitionPlan(file_name="green*", fail_with="Indexing failed. "))
    status = project.run()
    table = project.sql("SELECT query_id, video_no, start_seconds, score FROM hits")
    assert as_set(table) == as_set(directly(project, DIALECTS[dialect]))
    assert {row[0] for row in table} == {"red", "says", "looks", "inside"}
    states: dict[str, str] = dict(project.sql("SELECT media_name, state FROM videos"))
    assert states == {"red.mp4": "ready", "red-2.mp4": "ready", "blue.mp4": "ready", "green.mp4": "failed"}
    (failure,) = status.failures
    assert failure.step == "videos"
    assert "Indexing failed." in failure.reason


@pytest.mark.soak
def test_tables_do_not_depend_on_the_dialect(make_project: MakeProject) -> None:
    tables = []
    for dialect, scope in DIALECTS.items():
        project = make_project(("red", "green"), dialect=dialect)
        project.configure(api={"scope": scope})
        project.run_steps()
        tables.append(
            (
                project.sql(HITS),
                project.sql("SELECT media_name, state, day, size_bytes FROM videos ORDER BY ALL"),
                project.sql("SELECT query_id, hits, truncated FROM coverage ORDER BY ALL"),
                project.sql("SELECT media_uri[-9:], segment_index, text FROM transcripts ORDER BY ALL"),
                project.sql("SELECT sha256, proven_by FROM archive WHERE kind = 'video' ORDER BY ALL"),
            )
        )
    assert tables[0] == tables[1] == tables[2]
    assert all(table for table in tables[0])


def test_a_full_answer_is_split_until_no_hit_is_missing(
    make_project: MakeProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Captions are answered with at most 200 hits and without a second page (contract §2.8): these clips hold more.
    project = make_project(())
    folder = tmp_path_factory.mktemp("busy")
    for number in range(3):
        path = folder / f"busy-{number}.mp4"
        encode_clip(path, seconds=90 + number, fps=1, draw=_other_scene_each_second)
        (project.footage / path.name).write_bytes(path.read_bytes())
        project.touch(project.footage / path.name)
    project.write_queries("street", "queries: [{id: scenes, text: background, in: captions}]")
    project.run_steps()
    asker = Asker(project, DIALECTS["live-2025"])
    direct: list[Row] = []
    for video_no, *_ in project.sql("SELECT video_no FROM videos"):
        answer = asker.text("background", search_type="BY_CAPTION", top_k=200, video_nos=[video_no])
        assert len(answer) < 200
        direct += [(hit["video_no"], hit["start_time"]) for hit in answer]
    asker.close()
    assert len(direct) > 200
    assert as_set(project.sql("SELECT video_no, start_seconds FROM hits")) == as_set(direct)
    assert project.sql("SELECT count(*) FROM coverage WHERE truncated") == [(0,)]
    by_run = [entry for entry in project.calls("search") if entry.params["top_k"] == "200" and entry.code == "0000"]
    assert len(by_run) - 3 == 3  # the list of three, full; then its two halves


def _other_scene_each_second(seconds: float) -> Image:
    from PIL import Image, ImageDraw

    odd = round(seconds) % 2
    picture = Image.new("RGB", (64, 48), "black" if odd else "white")
    ImageDraw.Draw(picture).rectangle((20, 14, 40, 34), fill="red" if odd else "blue")
    return picture


@pytest.mark.soak
def test_two_paths_with_the_same_content_are_one_upload(make_project: MakeProject) -> None:
    project = make_project(("red",))
    project.add_clip("red", "copies/the same again.mp4", days_ago=2)
    status = project.run()
    assert status.items == {"accepted": 2}
    assert len(project.calls("upload")) == 1
    assert len(project.server.videos()) == 1
    assert project.sql("SELECT count(*) FROM videos") == [(1,)]


def test_a_changed_query_asks_only_itself_and_keeps_what_it_found_before(make_project: MakeProject) -> None:
    project = make_project(("red", "blue"))
    queries = "queries: [{id: colour, text: %s, filtering_level: low}, {id: shape, text: square}]"
    project.write_queries("street", queries % "red")
    project.run()
    mark = project.mark()
    project.write_queries("street", queries % "blue")
    project.run()
    (asked,) = project.calls("search", since=mark)
    assert asked.params["search_param"] == "blue"
    assert project.billable_calls(since=mark).count("upload") == 0
    colour = "SELECT media_name FROM {} JOIN videos USING (video_no) WHERE query_id = 'colour' ORDER BY ALL"
    assert project.sql(colour.format("street")) == [("blue.mp4",)]
    assert project.sql(colour.format("hits")) == [("blue.mp4",), ("red.mp4",)]


def test_a_retired_query_keeps_its_history_and_is_not_paid_for_again_when_it_returns(make_project: MakeProject) -> None:
    project = make_project(("red",))
    both = "queries: [{id: red, text: red}, {id: shape, text: square}]"
    project.write_queries("street", both)
    project.run()
    project.write_queries("street", "queries: [{id: shape, text: square}]")
    project.run()
    assert project.sql("SELECT query_id, is_current FROM queries ORDER BY ALL") == [("red", False), ("shape", True)]
    assert project.sql("SELECT DISTINCT query_id FROM street") == [("shape",)]
    assert project.sql("SELECT count(*) FROM hits WHERE query_id = 'red'") == [(1,)]
    mark = project.mark()
    project.write_queries("street", both)
    project.run()
    assert project.calls(since=mark) == []
    assert project.sql("SELECT DISTINCT query_id FROM street ORDER BY ALL") == [("red",), ("shape",)]


def test_an_image_is_looked_for_only_in_the_videos_that_another_query_hit(make_project: MakeProject) -> None:
    project = make_project(("red", "red-2", "blue", "green"))
    project.run_steps()
    red = {row[0] for row in project.sql("SELECT DISTINCT video_no FROM hits WHERE query_id = 'red'")}
    asked = [entry.params["video_no"] for entry in project.calls("search_clips_by_image")]
    assert sorted(asked) == sorted(red)
    assert len(red) == 2


def test_a_file_that_is_replaced_is_another_content(project: Project) -> None:
    project.run_steps()
    mark = project.mark()
    project.add_clip("green", "blue.mp4", days_ago=0)
    project.run_steps()
    assert len(project.calls("upload", since=mark)) == 1
    uris = project.sql("SELECT media_name, day FROM videos ORDER BY uploaded_at")
    assert [name for name, _ in uris].count("blue.mp4") == 2
    # Its day was fixed when it was first seen.
    assert len({day for _, day in uris}) == 1


def test_an_archived_file_that_was_removed_is_fetched_again_and_no_other(project: Project) -> None:
    project.run_steps()
    ((path,), *_) = project.sql("SELECT path FROM archive WHERE kind = 'video' ORDER BY path")
    whole = Path(path).read_bytes()
    Path(path).unlink()
    mark = project.mark()
    project.run_steps()
    assert project.billable_calls(since=mark) == ["download"]
    assert Path(path).read_bytes() == whole


def test_every_archived_original_is_the_source_byte_for_byte(project: Project) -> None:
    project.run_steps()
    archived = {Path(row[0]).read_bytes() for row in project.sql("SELECT path FROM archive WHERE kind = 'video'")}
    assert archived == {path.read_bytes() for path in project.footage.iterdir()}


def test_every_table_says_which_run_wrote_it_and_calls_carry_their_price(project: Project) -> None:
    project.run_steps(run_id="tuesday")
    assert project.sql("SELECT DISTINCT run_id FROM hits") == [("tuesday",)]
    prices = project.sql("SELECT operation, round(sum(cost_usd), 9) FROM api_calls GROUP BY ALL")
    priced: dict[str, float] = dict(prices)
    assert priced["list_videos"] == 0
    assert priced["search"] == pytest.approx(0.0001)
    # Two clips of 3 s at $15 for 1,000 minutes.
    assert priced["upload"] == pytest.approx(2 * 3 / 60 * 15 / 1000, rel=0.05)
    size_bytes = sum(path.stat().st_size for path in project.footage.iterdir())
    assert priced["download"] == pytest.approx(size_bytes / 1e9 * 0.12, rel=0.01)
