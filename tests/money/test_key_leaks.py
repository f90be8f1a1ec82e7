"""The API key stands in no byte that the command line leaves behind, however it ends."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.byte_search import places_of, spellings
from tests.command_line import COMMAND, environment, visualsearch
from tests.waiting import wait_until
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

KEY = "sk-mavi-S3nt1nel+0/f=a&leak~7c1e"
"""With characters that addresses, forms and base64 spell in another way."""


@pytest.fixture
def guarded(make_project: MakeProject) -> Project:
    """A project whose key is the sentinel, with limits, so that every kind of file is written."""
    project = make_project(("red",), api_keys={KEY: "account"})
    project.configure(api={"rate_limits": {"upload": "100/second"}})
    return project


def run(project: Project, *arguments: str, key: str = KEY) -> tuple[int, str]:
    answer = visualsearch(
        *arguments, cwd=project.root, VISUALSEARCH_API_KEY=key, DAGSTER_HOME=str(project.root / "home")
    )
    return answer.code, answer.out + answer.err


def leaks(project: Project, *texts: str) -> list[str]:
    """Where the key stands, below the project and in what was said; the sandbox itself may know it."""
    said = [text for text in texts if any(spelling in text.encode() for spelling in spellings(KEY))]
    return places_of(KEY, project.root, except_below=(project.root / "sandbox",)) + said


def test_the_search_finds_what_is_hidden_in_any_kind_of_file(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("CREATE TABLE snapshots (body BLOB)")
        connection.execute("INSERT INTO snapshots VALUES (?)", (zlib.compress(json.dumps({"a": KEY}).encode()),))
        connection.commit()
    pq.write_table(pa.table({"text": [KEY] * 1000}), tmp_path / "hits.parquet", compression="zstd")
    with duckdb.connect(tmp_path / "tables.duckdb") as database:
        database.execute("CREATE TABLE t AS SELECT ? AS text FROM range(100000)", [KEY])
    for number, spelling in enumerate(spellings(KEY)):
        (tmp_path / f"{number:02}.log").write_bytes(b"before " + spelling + b" after")
    (tmp_path / "clean.txt").write_text("sk-mavi-another")
    found = {place.partition(" ")[0] for place in places_of(KEY, tmp_path)}
    assert found == {path.name for path in tmp_path.iterdir()} - {"clean.txt"}


@pytest.mark.soak
def test_after_a_good_run_and_every_question_about_it(guarded: Project) -> None:
    said = []
    told = (("status",), ("reconcile",), ("doctor",), ("plan",), ("report",), ("export", "api_calls", "calls.csv"))
    for command in (("plan",), ("doctor",), ("run", "--wait"), *told):
        code, text = run(guarded, *command)
        assert code == 0, (command, text)
        said.append(text)
    assert guarded.sql("SELECT count(*) > 0 FROM hits") == [(True,)]
    assert (guarded.root / "home" / "history").exists()  # Dagster kept its books where we look
    assert list(guarded.root.rglob("*.html")), "the report was written where we look"
    assert leaks(guarded, *said) == []


@pytest.mark.soak
def test_after_runs_that_fail_in_every_layer(guarded: Project) -> None:
    said = []
    # A service that repeats the key in what it says is the worst of them.
    echo = FaultRule(operation="upload", kind=FaultKind.CODE, code="0001", message=f"no such key: {KEY}", count=None)
    for fault in (
        echo,
        FaultRule(operation="upload", kind=FaultKind.HTML_200, count=None),
        FaultRule(operation="list_videos", kind=FaultKind.CODE, code="0401", message=f"Bearer {KEY}", count=None),
        FaultRule(operation="search", kind=FaultKind.CODE, code="9999", message=KEY, count=None),
        FaultRule(operation="download", kind=FaultKind.JSON_AS_OCTET_STREAM, message=KEY, count=None),
    ):
        guarded.server.faults.add(fault)
        _, text = run(guarded, "run")
        said.append(text)
        if fault.operation == "list_videos":
            said += [run(guarded, command)[1] for command in ("reconcile", "doctor", "status")]
        assert guarded.server.faults.fired()
        guarded.server.faults.clear()
        if fault is echo:
            shutil.copytree(guarded.settings.state, guarded.root / "state after the echo")
            shutil.rmtree(guarded.settings.state)
    assert leaks(guarded, *said) == []


@pytest.mark.parametrize("spoiled", ["Bearer {}", "{}x", "ключ {}"])
def test_after_a_key_that_was_mistyped(guarded: Project, spoiled: str) -> None:
    said = []
    for command in ("run", "doctor"):
        code, text = run(guarded, command, key=spoiled.format(KEY))
        assert code in (1, 2)
        said.append(text)
    assert leaks(guarded, *said) == []


@pytest.mark.parametrize("operation", ["upload", "search"])
def test_after_a_crash_in_the_middle_of_a_call(guarded: Project, operation: str) -> None:
    guarded.server.faults.add(FaultRule(operation=operation, kind=FaultKind.STALL, seconds=600, count=None))
    log = guarded.root / "said.log"
    variables = environment(
        guarded.root, VISUALSEARCH_API_KEY=KEY, DAGSTER_HOME=str(guarded.root / "home"), PYTHONFAULTHANDLER="1"
    )
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*COMMAND, "run", "--wait"],
            cwd=guarded.root,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process,
    ):

        def is_calling() -> bool:
            assert process.poll() is None, log.read_text()
            return any(rule.fired for rule in guarded.server.faults.rules())

        wait_until(is_calling, seconds=100, told=lambda: "the call was never made")
        process.send_signal(signal.SIGABRT)  # as the system ends a program; with a trace of where it stood
        assert process.wait(timeout=30) == -signal.SIGABRT
    assert "Fatal Python error" in log.read_text()
    assert leaks(guarded) == []
