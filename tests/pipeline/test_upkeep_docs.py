"""The pages on alerts and retention: what they show is read, sent and answered as they say."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.command_line import REPOSITORY, visualsearch
from visualsearch_pipeline.pipeline.alert_news import read_news
from visualsearch_pipeline.queries import load_query_sets
from visualsearch_pipeline.settings import AlertSettings, RetentionSettings, load_settings

if TYPE_CHECKING:
    from tests.conftest import Project

ALERTS: Final = (REPOSITORY / "docs" / "alerts.md").read_text("utf-8")
RETENTION: Final = (REPOSITORY / "docs" / "retention.md").read_text("utf-8")


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def keys_of(value: Any) -> Any:
    """A value's keys, however deep."""
    if isinstance(value, dict):
        return {key: keys_of(part) for key, part in value.items()}
    return [keys_of(value[0])] if isinstance(value, list) and value else None


def test_the_query_set_and_the_settings_are_read(tmp_path: Path) -> None:
    queries, settings = blocks(ALERTS, "yaml")
    (tmp_path / "street.yaml").write_text(queries)
    catalog = load_query_sets(tmp_path)
    (street,) = catalog.sets
    assert set(street.alerts) == {"red_truck", "fire", "logo"}
    assert street.alerts["fire"].webhook == "FIRE_TEAM_WEBHOOK"
    assert street.alerts["logo"].command == ("./notify", "--team", "brand")
    (kept,) = blocks(RETENTION, "yaml")
    (tmp_path / "visualsearch.yaml").write_text(settings + kept)
    loaded = load_settings(tmp_path / "visualsearch.yaml", environ={})
    assert loaded.retention == RetentionSettings()
    assert loaded.alerts.webhook == "TEAM_WEBHOOK"
    assert (loaded.alerts.deadline_seconds, loaded.alerts.give_up_days) == (
        AlertSettings().deadline_seconds,
        AlertSettings().give_up_days,
    )
    for name, days in yaml.safe_load(kept)["retention"].items():
        assert f"`retention.{name}`" in RETENTION, days


def test_the_example_has_the_fields_of_a_real_alert_and_the_commands_run(project: Project) -> None:
    (example,) = blocks(ALERTS, "json")
    project.configure(alerts={"command": ["true"], "report_url": "https://footage.example.org"})
    project.write_queries("street", "queries:\n  - {id: red, text: red, filtering_level: low, alert: new_hits}\n")
    project.run_steps()
    project.add_clip("red-2", "second.mp4", days_ago=2)
    project.run_steps()
    with project.pipeline() as pipeline:
        (delivery,) = read_news(pipeline, pipeline.ledger.alerts.subscriptions())
    assert keys_of(json.loads(delivery.payload)) == keys_of(json.loads(example))

    commands = [line for block in (*blocks(ALERTS, "sh"), *blocks(RETENTION, "sh")) for line in block.splitlines()]
    assert len(commands) == 6
    for command in commands:
        name, *arguments = shlex.split(command)
        assert name == "visualsearch"
        done = visualsearch(*arguments, "--config", str(project.settings_path), cwd=project.root)
        assert done.code == 0, f"{command}\n{done.out}{done.err}"
    for statement in blocks(RETENTION, "sql"):
        assert project.sql(statement.rstrip().rstrip(";")) == []


@pytest.mark.parametrize("page", ["alerts.md", "retention.md"])
def test_every_command_and_table_named_in_the_text_exists(page: str) -> None:
    from visualsearch_pipeline.warehouse.schemas import TABLES

    text = (REPOSITORY / "docs" / page).read_text("utf-8")
    named = set(re.findall(r"`(hit_changes|failures|remote_deletions|api_calls|api_call_totals|videos)`", text))
    assert named
    assert named <= set(TABLES)
