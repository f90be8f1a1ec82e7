"""`visualsearch demo`: a stranger's first two minutes, and every minute after that."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.command_line import Answer, FinishedDemo, visualsearch
from visualsearch_pipeline.sandbox import Sandbox, SandboxConfig

if TYPE_CHECKING:
    from tests.conftest import ClipShelf

ASKING = {
    "upload",
    "search",
    "search_similar_images",
    "search_clips_by_image",
    "search_audio_transcripts",
    "download",
    "download_blob",
    "get_audio_transcription",
    "get_video_caption",
}


def operations(state: Path) -> list[str]:
    """Every request that a sandbox has answered, from the journal in its state folder."""
    with Sandbox(SandboxConfig(state_dir=state)) as server:
        return [entry.operation for entry in server.journal()]


def demo_again(demo: FinishedDemo, *arguments: str) -> Answer:
    return visualsearch("demo", *arguments, cwd=demo.cwd, timeout_seconds=240)


def test_the_demo_hits_with_every_query_and_fails_on_the_broken_clip_alone(demo: FinishedDemo) -> None:
    assert demo.answer.code == 3, demo.answer
    assert "1 failed" in demo.answer.out
    assert "broken" in demo.answer.out
    listed = visualsearch(
        "sql",
        "--csv",
        "select q.query_id, count(h.video_no) from queries q left join hits h using (query_set, query_id) group by 1",
        "--config",
        str(demo.settings_path),
        cwd=demo.cwd,
    )
    counts = {name: int(count) for name, count in (line.split(",") for line in listed.out.splitlines()[1:])}
    assert set(counts) == {"red_truck", "logo", "red_shirt", "says_warranty", "talks_of_repair"}
    assert [name for name, count in counts.items() if not count] == []


def test_what_was_spent_stands_under_the_name_of_each_query(demo: FinishedDemo) -> None:
    question = "select spent_on from spend_by('query') order by all"
    listed = visualsearch("sql", "--csv", question, "--config", str(demo.settings_path), cwd=demo.cwd)

    assert listed.out.splitlines()[1:] == [
        "speech.says_warranty",
        "speech.talks_of_repair",
        "street.logo",
        "street.red_shirt",
        "street.red_truck",
    ]


def test_the_demo_says_where_everything_lies_and_how_to_look_at_it(demo: FinishedDemo) -> None:
    said = dict(
        line.split(maxsplit=1) for line in demo.answer.out.splitlines() if line.startswith(("tables", "in SQL", "anew"))
    )
    assert (demo.cwd / said["tables"]).is_file()
    assert demo.answer.out.count("visualsearch dev --folder visualsearch-demo") == 1
    assert "\x1b" not in demo.answer.out + demo.answer.err
    prose = [line for line in (demo.answer.out + demo.answer.err).splitlines() if "in SQL" not in line]
    assert [line for line in prose if len(line) > 80] == []


def test_the_demo_s_settings_hold_no_key(demo: FinishedDemo) -> None:
    settings = yaml.safe_load(demo.settings_path.read_text())
    assert settings["api"]["base_url"].startswith("http://127.0.0.1:")
    assert not re.search(r"sk-|api_key", demo.settings_path.read_text())


def test_a_second_demo_asks_nothing_even_when_its_old_port_is_somebody_else_s(
    demo: FinishedDemo, tmp_path: Path
) -> None:
    demo = demo.copied_to(tmp_path)
    before = operations(demo.sandbox_state)
    assert set(before) >= ASKING
    port = int(yaml.safe_load(demo.settings_path.read_text())["api"]["base_url"].rpartition(":")[2])
    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # taken by a real somebody is as good
            somebody.bind(("127.0.0.1", port))
            somebody.listen()
        again = demo_again(demo)
    assert again.code == 3, again
    # Up to the failures, whose files lie elsewhere seen from here.
    assert again.out.partition(" failed")[0] == demo.answer.out.partition(" failed")[0]
    assert not ASKING & set(operations(demo.sandbox_state)[len(before) :])


@pytest.mark.soak
def test_a_demo_of_one_s_own_footage_reads_it_and_no_more(tmp_path: Path, clip_shelf: ClipShelf) -> None:
    own = tmp_path / "my holidays"
    own.mkdir()
    for name in ("red", "blue"):
        shutil.copy(clip_shelf.path(name), own)
    (own / "notes.txt").write_text("not a video, and not asked about")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in own.iterdir()}

    answer = visualsearch("demo", "--media", "my holidays", cwd=tmp_path, timeout_seconds=240)

    assert answer.code == 0, answer
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in own.iterdir()} == before
    folder = tmp_path / "visualsearch-demo-my holidays"
    (database,) = folder.glob("state/warehouse/*.duckdb")
    assert str(database.relative_to(tmp_path)) in answer.out
    assert "like_this_frame" in answer.out  # a picture of their own is found again
    typed = answer.out.partition("in the UI")[2].splitlines()[0]
    assert shlex.split(typed) == ["visualsearch", "dev", "--folder", folder.name]
    (tmp_path / "other").mkdir()
    other = visualsearch("demo", "--media", "other", "--folder", str(folder), cwd=tmp_path)
    assert other.code == 2
    assert "other footage" in other.error_text
    assert "--folder" in other.error_text


def test_footage_that_is_not_there_is_named_and_leaves_nothing_behind(tmp_path: Path) -> None:
    answer = visualsearch("demo", "--media", "hollidays", cwd=tmp_path)
    assert answer.code == 2
    assert str(tmp_path / "hollidays") in answer.error_text
    assert "there is no such folder" in answer.error_text
    assert list(tmp_path.iterdir()) == []
