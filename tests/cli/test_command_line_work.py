"""`run`, `status` and `sql` as a user types them: what they do, print, and end with."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.command_line import COMMAND, Answer, environment, visualsearch
from tests.terminal_screen import run_on_terminal, screen
from tests.waiting import wait_until
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

ESCAPE = "\x1b"


def run(project: Project, *arguments: str) -> Answer:
    return visualsearch("run", *arguments, cwd=project.root, VISUALSEARCH_API_KEY=project.server.api_key)


def test_all_done_is_0_and_the_status_agrees_without_a_key_or_a_call(project: Project) -> None:
    answer = run(project, "--wait")
    assert answer.code == 0, answer
    assert "2 uploaded" in answer.out
    assert answer.out.splitlines()[-1].split() == ["to", "do", "nothing"]
    mark = project.mark()

    status = visualsearch("status", cwd=project.root)

    assert (status.code, status.out, status.err) == (0, answer.out, "")
    assert project.calls(since=mark) == []


def test_without_a_terminal_a_run_writes_plain_lines_and_results_apart_from_progress(project: Project) -> None:
    answer = run(project, "--wait")
    assert ESCAPE not in answer.out + answer.err
    assert [line for line in (answer.out + answer.err).splitlines() if len(line) > 80] == []
    assert "looking into media: " in answer.err
    assert "searching street: 4 queries" in answer.err
    assert "looking into" not in answer.out


def test_done_with_failed_items_is_3_and_each_is_named_with_its_reason(project: Project) -> None:
    (project.footage / "notes.mp4").write_text("not a video")
    answer = run(project, "--wait")
    assert answer.code == 3, answer
    assert "1 failed" in answer.out
    assert "footage/notes.mp4" in answer.out
    assert visualsearch("status", cwd=project.root).code == 3


def test_still_pending_is_4_after_one_pass_and_after_the_time_is_up(make_project: MakeProject) -> None:
    project = make_project(("red",), indexing_seconds=3600)
    started = time.monotonic()
    answer = run(project, "--wait", "--timeout", "2")
    assert answer.code == 4, answer
    assert "waiting for 1" in answer.out
    assert time.monotonic() - started < 60
    assert run(project).code == 4
    project.server.clock.advance(3600)
    assert run(project, "--wait").code == 0
    assert len(project.calls("upload")) == 1


def test_hostile_names_are_made_visible_and_not_obeyed(make_project: MakeProject) -> None:
    project = make_project(("red",))
    names = (f"{ESCAPE}[2J{ESCAPE}]0;owned\x07.mp4", "two\nlines.mp4", "🚚 truck.mp4", "[red]markup[green].mp4")
    for name in names:
        (project.footage / name).write_text("not a video")
    answer = run(project, "--wait")
    assert answer.code == 3, answer
    said = answer.out + answer.err
    assert ESCAPE not in said
    assert "\x07" not in said
    flat = "".join(cell.strip() for line in answer.out.splitlines() for cell in line.split("│")[2:3])
    for visible in (r"\x1b[2J\x1b]0;owned\x07.mp4", r"two\nlines.mp4", "🚚 truck.mp4", "[red]markup[green].mp4"):
        assert visible.replace(" ", "") in flat.replace(" ", "")
    listed = visualsearch("sql", "select subject from failures", cwd=project.root)
    assert listed.code == 0, listed
    assert ESCAPE not in listed.out
    assert r"\x1b" in listed.out


@pytest.mark.soak
def test_on_a_terminal_bars_come_and_go_and_one_line_a_step_stays(project: Project) -> None:
    variables = environment(project.root, VISUALSEARCH_API_KEY=project.server.api_key)
    code, written = run_on_terminal([*COMMAND, "run", "--wait"], cwd=project.root, environment=variables)
    assert code == 0, written
    assert "━━━" in written
    left = screen(written)
    assert not any("━━━" in line for line in left)
    assert [line for line in left if line.startswith("uploading 2 videos: ")]
    assert [line for line in left if line.split() == ["to", "do", "nothing"]]


def test_an_interrupted_run_says_so_and_the_next_goes_on_without_a_second_upload(make_project: MakeProject) -> None:
    project = make_project(("red", "blue"))
    project.server.faults.add(FaultRule(operation="upload", kind=FaultKind.STALL, when="after", count=None, seconds=3))
    variables = environment(project.root, VISUALSEARCH_API_KEY=project.server.api_key)
    with subprocess.Popen(
        [*COMMAND, "run", "--wait"], cwd=project.root, env=variables, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: bool(project.server.videos()), seconds=60, told=lambda: "nothing is uploaded")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "the next run goes on" in said
    assert "Traceback" not in said

    project.server.faults.clear()
    answer = run(project, "--wait")
    assert answer.code == 0, answer
    assert len(project.server.videos()) == 2


def test_sql_answers_in_tables_records_and_csv_and_refuses_in_words(project: Project) -> None:
    def ask(*arguments: str) -> Answer:
        return visualsearch("sql", *arguments, cwd=project.root)

    early = ask("from hits")
    assert early.code == 1
    assert "nothing is published" in early.error_text
    assert "`visualsearch run`" in early.error_text
    assert run(project, "--wait").code == 0

    table = ask("select query_id, count(*) as found from hits group by all order by all")
    assert (table.code, table.err) == (0, "")
    assert [line.split("│")[1].strip() for line in table.out.splitlines() if line.startswith("│")] == [
        "inside",
        "looks",
        "red",
        "says",
    ]

    wide = ask("from hits limit 1")
    assert wide.out.startswith("row 1")
    assert max(map(len, wide.out.splitlines())) <= 80
    assert "start_seconds" in wide.out

    rows = list(csv.reader(io.StringIO(ask("select media_name, 1.5 as x from videos order by 1", "--csv").out)))
    assert rows == [["media_name", "x"], ["blue.mp4", "1.5"], ["red.mp4", "1.5"]]
    odd = "select if(range = 0, 7, null) as whole, ['a', 'b\"'] as tags, range = 0 as flag from range(2)"
    assert list(csv.reader(io.StringIO(ask(odd, "--csv").out))) == [
        ["whole", "tags", "flag"],
        ["7", '["a", "b\\""]', "true"],
        ["", '["a", "b\\""]', "false"],
    ]

    # A person is shown what can be read; another program gets everything.
    many = "select 'line' || range as line from range(1500)"
    code, shown = run_on_terminal([*COMMAND, "sql", many], cwd=project.root, environment=environment(project.root))
    assert code == 0
    assert "line999" in shown
    assert "line1000" not in shown
    assert "the first 1,000 rows; all of them with --csv or `visualsearch export`" in shown
    piped = ask(many)
    assert "line1499" in piped.out
    assert piped.err == ""

    for question, said in (("selec 1", "selec"), ("delete from hits_table", "hits_table"), ("", "empty")):
        refused = ask(question)
        assert refused.code == 1
        assert said in refused.error_text
        assert "Traceback" not in refused.err


def test_output_that_nobody_reads_any_more_ends_quietly(project: Project) -> None:
    assert run(project, "--wait").code == 0
    with subprocess.Popen(
        [*COMMAND, "sql", "from generate_series(20000)"],
        cwd=project.root,
        env=environment(project.root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 141
    assert said == b""


def test_the_sandbox_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    command = [*COMMAND, "sandbox", "--state", "sandbox", "--port", "0", "--api-key", "sk-mavi-mine=us"]
    command += ["--rate-limits", "p-2026", "--credits", "0.5", "--frozen-at", "2026-01-31T08:00:00+00:00"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("Sandbox ready at http://127.0.0.1:")
        url = ready.split()[3].rstrip(".,") + "/serve/api/v1/list_videos"
        codes = [
            httpx.post(url, json={}, headers={"Authorization": key}).json()["code"]
            for key in ("sk-mavi-mine", "sk-mavi-sandbox", *["sk-mavi-mine"] * 5)
        ]
        # The clock stands still: five calls a second are all there will ever be.
        assert codes[0] == codes[5] == "0000"
        assert codes[1] != "0000"
        assert codes[6] != "0000"
        second = visualsearch("sandbox", "--state", "sandbox", cwd=tmp_path)
        assert second.code == 1
        assert "another sandbox is running" in second.error_text
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
