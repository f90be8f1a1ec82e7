"""docs/sources.md is true: its files are read, its settings load, its commands run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from visualsearch_pipeline.cli import app
from visualsearch_pipeline.ledger import ImportState
from visualsearch_pipeline.media.imports_file import read_imports
from visualsearch_pipeline.media.media_url import MediaUrl
from visualsearch_pipeline.media.private_addresses import why_private
from visualsearch_pipeline.media.url_list import read_url_list
from visualsearch_pipeline.pipeline.imports import run_imports
from visualsearch_pipeline.pipeline.ingest import look_at_source
from visualsearch_pipeline.queries.json_schema import imports_schema
from visualsearch_pipeline.sandbox import FaultKind, FaultRule
from visualsearch_pipeline.settings import load_settings

if TYPE_CHECKING:
    from tests.conftest import MakeProject

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.M | re.S)


SETTINGS = [block for block in blocks("yaml") if "- id:" not in block]
(IMPORTS,) = (block for block in blocks("yaml") if "- id:" in block)


@pytest.mark.parametrize("text", SETTINGS)
def test_the_settings_load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "visualsearch.yaml"
    path.write_text(text)
    settings = load_settings(path, environ={})
    given = yaml.safe_load(text).get("source", {})
    assert (settings.source.path is None) == ("urls" in given)


@pytest.mark.parametrize(
    ("language", "name", "count"), [("text", "urls.txt", 2), ("csv", "urls.csv", 2), ("json", "urls.jsonl", 1)]
)
def test_the_lists_are_read(tmp_path: Path, language: str, name: str, count: int) -> None:
    (tmp_path / name).write_text(blocks(language)[0])
    found = read_url_list(str(tmp_path / name))
    assert (len(found.urls), found.problems) == (count, ())
    if name == "urls.csv":
        assert found.urls[0].tags == ("north", "gate")


def test_the_imports_are_read_and_fit_their_schema(tmp_path: Path) -> None:
    path = tmp_path / "imports.yaml"
    path.write_text(IMPORTS)
    assert [(entry.kind, entry.expected_videos) for entry in read_imports(path)] == [
        ("creator", 10),
        ("hashtags", 10),
        ("posts", 2),
    ]
    Draft7Validator(imports_schema()).validate(yaml.safe_load(IMPORTS))


def test_what_is_shown_of_a_link_is_what_the_page_shows() -> None:
    (shown,) = re.findall(r"`(https://\S+#)[0-9a-f]{12}`", PAGE)
    link = "https://media.example.com/yard.mp4?X-Amz-Expires=900&X-Amz-Signature=5f0c"
    assert MediaUrl.parse(link).shown.startswith(shown)


def test_the_spellings_that_the_page_calls_refused_are() -> None:
    (part,) = re.findall(r"### Addresses that are refused\n(.*?)```", PAGE, flags=re.S)
    hosts = [word for word in re.findall(r"`([^`\n]+)`", part) if word != "source:"]
    assert len(hosts) >= 8
    assert all(why_private(host) for host in hosts)


def test_the_commands_run_and_say_what_the_page_says(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(())
    (project.root / "imports.yaml").write_text(IMPORTS)
    project.configure(imports="imports.yaml")
    project.server.faults.add(FaultRule(operation="scraper", kind=FaultKind.RESET, when="after"))
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        run_imports(pipeline)
    monkeypatch.chdir(project.root)
    (command,) = blocks("sh")
    listed = CliRunner().invoke(app, shlex.split(command)[1:], env={"COLUMNS": "200"})
    assert listed.exit_code == 0, listed.output
    assert re.search(r"team_channel +\S+ +undecided", listed.output)
    for line in blocks("text")[1].splitlines():
        arguments = shlex.split(line.partition("#")[0].replace("2026-03-01", project.today.isoformat()))
        with project.pipeline() as pipeline:
            (task,) = (task for task in pipeline.ledger.imports.all() if task.entry_id == "team_channel")
            pipeline.ledger.imports.record_failed(
                task, state=ImportState.UNDECIDED, reason="lost", retryable=False, at=pipeline.now()
            )
        done = CliRunner().invoke(app, arguments[1:])
        assert done.exit_code == 0, done.output
        after = {"--task-id": "it is followed as task", "--again": "starts it again", "--drop": "given up"}
        assert any(flag in line and said in done.output for flag, said in after.items())
