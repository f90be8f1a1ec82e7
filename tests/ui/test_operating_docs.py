"""The page for the person who runs it: its commands run, its settings are the shipped ones, its pictures are there."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

import yaml
from PIL import Image

from tests.command_line import REPOSITORY, visualsearch
from visualsearch_pipeline.orchestration import build_visual_search_defs
from visualsearch_pipeline.orchestration.requests import LONGEST_RETRY_FACTOR, RETRY_SECONDS, retry_seconds_of
from visualsearch_pipeline.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Project

PAGE: Final = (REPOSITORY / "docs" / "operating.md").read_text("utf-8")
LARGEST_PICTURE_BYTES: Final = 120_000


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_its_commands_run(project: Project) -> None:
    project.run_steps()
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 2
    for command in commands:
        name, *arguments = shlex.split(command)
        assert name == "visualsearch"
        done = visualsearch(
            *arguments,
            *("--config", str(project.settings_path)),
            cwd=project.root,
            VISUALSEARCH_API_KEY=project.server.api_key,
        )
        assert done.code == 0, f"{command}\n{done.out}{done.err}"


def test_its_sensors_and_their_times_are_those_of_the_code(project: Project) -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    definitions = build_visual_search_defs(project.settings)
    assert {sensor.name for sensor in definitions.sensors or ()} == named
    seconds = Settings.model_fields["sensor_seconds"].default
    assert f"`sensor_seconds` ({seconds})" in PAGE
    assert retry_seconds_of(seconds) == RETRY_SECONDS == 15 * 60
    assert "after 15 minutes, then 30, and so on up to 6 hours" in PAGE
    assert RETRY_SECONDS * LONGEST_RETRY_FACTOR == 6 * 3600


def test_what_happens_when_processes_die_is_what_the_shipped_instance_says() -> None:
    shipped = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    (shown,) = (yaml.safe_load(block) for block in blocks("yaml"))
    assert shipped["run_launcher"] == shown["run_launcher"]
    monitoring, retries = shipped["run_monitoring"], shipped["run_retries"]
    assert monitoring["poll_interval_seconds"] == 60  # "within a minute"
    assert monitoring["max_runtime_seconds"] == 86_400  # "after a day"
    assert retries["max_retries"] == 3
    assert retries["retry_on_asset_or_op_failure"] is False


def test_every_picture_is_there_and_small() -> None:
    pictures = re.findall(r"!\[.+\]\((images/[\w-]+\.png)\)", PAGE)
    assert len(pictures) == len(set(pictures)) == 8
    for name in pictures:
        path = REPOSITORY / "docs" / name
        assert path.stat().st_size < LARGEST_PICTURE_BYTES, name
        with Image.open(path) as picture:
            assert picture.width >= 1000, name
