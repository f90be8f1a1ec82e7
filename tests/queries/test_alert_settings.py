"""What `alert:` may say; each mistake is named with its line and the remedy, and no secret gets past."""

from __future__ import annotations

from pathlib import Path

import pytest

from visualsearch_pipeline.queries import load_query_sets
from visualsearch_pipeline.queries.alerts import Alert
from visualsearch_pipeline.settings import SettingsError, load_settings


def alert_of(folder: Path, written: str) -> Alert | None:
    (folder / "street.yaml").write_text(f"queries:\n  - id: red\n    text: red\n    alert: {written}\n")
    (street,) = load_query_sets(folder).sets
    return street.alerts.get("red")


@pytest.mark.parametrize(
    ("written", "webhook", "command"),
    [
        ("new_hits", None, ()),
        ("{on: new_hits}", None, ()),
        ("{on: new_hits, webhook: TEAM_WEBHOOK}", "TEAM_WEBHOOK", ()),
        ("{webhook: 'https://hooks.example.org/street'}", "https://hooks.example.org/street", ()),
        ("{webhook: 'http://localhost:8080/x'}", "http://localhost:8080/x", ()),
        ("{command: [./notify, --team, street]}", None, ("./notify", "--team", "street")),
    ],
)
def test_what_can_be_written(tmp_path: Path, written: str, webhook: str | None, command: tuple[str, ...]) -> None:
    assert alert_of(tmp_path, written) == Alert(webhook=webhook, command=command, folder=tmp_path)


def test_null_says_none_here(tmp_path: Path) -> None:
    assert alert_of(tmp_path, "null") is None


MISTAKES = [
    ("new_hit", "did you mean `new_hits`?"),
    ("[new_hits]", "must be `new_hits`, or a mapping"),
    ("{on: gone_hits}", "'new_hits'"),
    ("{webhok: TEAM}", "did you mean `webhook`?"),
    ("{webhook: team}", "must be the name of an environment variable"),
    ("{webhook: 'ftp://hooks.example.org'}", "must be the name of an environment variable"),
    ("{webhook: 'http://hooks.example.org/x'}", "must begin with https://"),
    ("{webhook: 'https://me:pass@hooks.example.org'}", "put the address into an environment variable"),
    ("{webhook: 'https://hooks.example.org/?token=1'}", "put the address into an environment variable"),
    ("{webhook: 'https://hooks.example.org/T01/B02/abcdefgh1234567890XYZ'}", "what looks like a secret in its path"),
    ("{webhook: TEAM, command: [./notify]}", "give one of them"),
    ("{command: []}", "without a program"),
]


@pytest.mark.parametrize(("written", "said"), MISTAKES)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "street.yaml"
    path.write_text(f"queries:\n  - id: red\n    text: red\n    alert: {written}\n")
    (broken,) = load_query_sets(tmp_path).broken
    assert f"{path}, line 4" in str(broken)
    assert said in str(broken)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{webhook: 'https://hooks.example.org/?token=1'}", "put the address into an environment variable"),
        ("{webhook: TEAM, command: [./notify]}", "give one of them"),
    ],
)
def test_the_settings_keep_to_the_same_rules(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "visualsearch.yaml"
    path.write_text(f"alerts: {written}\n")
    with pytest.raises(SettingsError, match=r"line 1") as error:
        load_settings(path, environ={})
    assert said in str(error.value)
