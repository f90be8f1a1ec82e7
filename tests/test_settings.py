"""Settings: each mistake named with its file, line, key and remedy; the key nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from visualsearch_pipeline.settings import (
    API_KEY_VARIABLE,
    BASE_URL_VARIABLE,
    CONFIG_VARIABLE,
    LEDGER_URL_VARIABLE,
    SettingsError,
    find_settings_file,
    load_settings,
    read_api_key,
)

MISTAKES = {
    "unknown key": ("stat: ./state", 1, "stat", "did you mean `state`?"),
    "unknown key in a section": ("api:\n  base_ur: http://x", 2, "api.base_ur", "did you mean `base_url`?"),
    "unknown key far from any": (
        "source:\n  colour: red",
        2,
        "source.colour",
        "known here: allow_private_addresses, exclude",
    ),
    "no web address": ("api:\n  base_url: memories.ai", 2, "api.base_url", "such as https://api.memories.ai"),
    "a key in the address": ("api:\n  base_url: https://u:p@h", 2, "api.base_url", "the key goes into the environment"),
    "both scopes": ("api:\n  scope: {unique_id: a, folder_id: 1}", 2, "api.scope", "exactly one of"),
    "no scope": ("api:\n  scope: {}", 2, "api.scope", "exactly one of"),
    "read-only folder": ("api:\n  scope: {folder_id: -2}", 2, "api.scope", "-2 is read-only"),
    "empty namespace": ("api:\n  scope: {unique_id: ''}", 2, "api.scope.unique_id", "is empty; write some text"),
    "number as a namespace": ("api:\n  scope: {unique_id: 7}", 2, "api.scope.unique_id", "put it in quotes"),
    "unreadable rate": (
        "api:\n  rate_limits: {upload: often}",
        2,
        "api.rate_limits.upload",
        "must read like `1/minute`",
    ),
    "rate of nothing": ("api:\n  rate_limits: {upload: 0/minute}", 2, "api.rate_limits.upload", "must read like"),
    "rate of an unknown operation": ("api:\n  rate_limits: {uplod: 1/minute}", 2, "api.rate_limits", "known: upload"),
    "unknown preset": ("api:\n  rate_limits: fast", 2, "api.rate_limits", "documented"),
    "an owner without a team": ("owner: footage", 1, "owner", "an e-mail address or `team:<name>`"),
    "no time": ("api:\n  timeouts: {read_seconds: 0}", 2, "api.timeouts.read_seconds", "must be more than 0"),
    "too many transfers": (
        "api:\n  concurrent_transfers: 1000",
        2,
        "api.concurrent_transfers",
        "must be 64 or less",
    ),
    "impossible day": ("source:\n  start_date: 2026-02-30", 2, "source.start_date", "day"),
    "words as a day": ("source:\n  start_date: yesterday", 2, "source.start_date", "date"),
    "pattern without a day": ("source:\n  partition_by: '%Y/%m'", 2, "source.partition_by", "%Y, %m and %d once each"),
    "no pattern": (
        "source:\n  partition_by: size",
        2,
        "source.partition_by",
        "`modified`, `arrival`, or a date pattern",
    ),
    "nothing included": ("source:\n  include: []", 2, "source.include", "at least 1 item"),
    "text for a list": ("source:\n  include: '*.mp4'", 2, "source.include", "must be a list, not text"),
    "negative budget": ("budget:\n  per_run_usd: -1", 2, "budget.per_run_usd", "must be 0 or more"),
    "words as money": ("budget:\n  per_day_usd: lots", 2, "budget.per_day_usd", "must be a number, not text"),
    "empty archive path and a wrong switch": (
        "archive:\n  videos: perhaps",
        2,
        "archive.videos",
        "must be true or false",
    ),
    "a section that is a word": ("indexing: slow", 1, "indexing", "must be a mapping with: "),
    "the same key twice": ("state: a\nqueries: q\nstate: b", 3, "state", "second time (first on line 1)"),
    "no mapping": ("- state", 1, "", "must be a mapping"),
    "no YAML": ("state: [", 1, "", "not valid YAML"),
    "the key itself": ("api:\n  api_key: sk-mavi-123", 2, "api.api_key", "is not a known key"),
}


def write(folder: Path, text: str) -> Path:
    path = folder / "visualsearch.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_named_with_file_line_key_and_remedy(tmp_path: Path, mistake: str) -> None:
    text, line, key, remedy = MISTAKES[mistake]
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        load_settings(path, environ={})
    message = str(refused.value)
    assert message.startswith(f"{path}, line {line}: {key}"), message
    assert remedy in message


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "stat: a\napi:\n  base_url: x\n  concurrent_transfers: none\nsource: {path: ''}\n")
    with pytest.raises(SettingsError) as refused:
        load_settings(path, environ={})
    lines = str(refused.value).splitlines()
    assert [line.partition(", ")[2].split(":")[0] for line in lines] == ["line 1", "line 3", "line 4", "line 5"]


def test_an_empty_file_is_all_defaults_with_paths_beside_it(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ""), environ={})
    assert settings.queries == tmp_path / "queries"
    assert settings.state == tmp_path / "state"
    assert settings.source.path == str(tmp_path / "footage")
    assert settings.ledger_database_url == f"sqlite:///{tmp_path / 'state' / 'ledger.db'}"
    assert settings.database_path == tmp_path / "state" / "warehouse" / "visualsearch.duckdb"
    assert settings.archive_root == str(tmp_path / "state" / "archive")
    assert settings.api.base_url == "https://api.memories.ai"
    assert settings.api.scope.unique_id == "default"
    assert settings.api.rate_limits == "documented"


def test_every_place_can_be_moved_on_its_own(tmp_path: Path) -> None:
    text = (
        "state: s\nwarehouse: w\nledger_url: sqlite:////elsewhere/l.db\narchive: {path: a}\nsource: {path: s3://b/f}\n"
    )
    settings = load_settings(write(tmp_path, text), environ={})
    assert settings.database_path == tmp_path / "w" / "visualsearch.duckdb"
    assert settings.ledger_database_url == "sqlite:////elsewhere/l.db"
    assert settings.archive_root == str(tmp_path / "a")
    assert settings.source.path == "s3://b/f"
    assert settings.limits_path == tmp_path / "s" / "limits"


def test_relative_paths_do_not_depend_on_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "project", "state: ./here")
    monkeypatch.chdir(tmp_path)
    by_relative_path = load_settings(Path("project/visualsearch.yaml"), environ={})
    monkeypatch.chdir(tmp_path / "elsewhere")
    by_variable = load_settings(environ={CONFIG_VARIABLE: str(tmp_path / "project" / "visualsearch.yaml")})
    assert by_relative_path == by_variable
    assert by_variable.state == tmp_path / "project" / "here"


def test_the_file_is_named_by_the_argument_then_the_variable_then_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {CONFIG_VARIABLE: "/from/the/environment.yaml"}
    assert find_settings_file(Path("given.yaml"), environ=environ) == tmp_path / "given.yaml"
    assert find_settings_file(environ=environ) == Path("/from/the/environment.yaml")
    assert find_settings_file(environ={}) == tmp_path / "visualsearch.yaml"


def test_a_missing_file_is_answered_with_a_way_on(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"no such settings file.*--config.*{CONFIG_VARIABLE}.*visualsearch demo"):
        load_settings(tmp_path / "none.yaml", environ={})


def test_the_environment_overrides_the_address_and_is_checked_alike(tmp_path: Path) -> None:
    path = write(tmp_path, "api: {base_url: https://one.example, concurrent_transfers: 2}")
    settings = load_settings(path, environ={BASE_URL_VARIABLE: "http://127.0.0.1:8000/serve/api/v1/"})
    assert settings.api.base_url == "http://127.0.0.1:8000"
    assert settings.api.concurrent_transfers == 2
    with pytest.raises(SettingsError, match=f"{BASE_URL_VARIABLE} must be a web address"):
        load_settings(path, environ={BASE_URL_VARIABLE: "localhost:8000"})


def test_the_environment_overrides_the_ledger(tmp_path: Path) -> None:
    path = write(tmp_path, "ledger_url: sqlite:////elsewhere/l.db")
    assert load_settings(path, environ={}).limits_url is None
    settings = load_settings(path, environ={LEDGER_URL_VARIABLE: "postgresql://team@db:5432/visualsearch"})
    assert settings.ledger_database_url == settings.limits_url == "postgresql://team@db:5432/visualsearch"


def test_the_limits_are_shared_where_the_settings_say(tmp_path: Path) -> None:
    for text, folder, url in (
        ("state: s", "s/limits", None),
        ("limits: ../shared", "../shared", None),
        ("ledger_url: postgresql://db/x", None, "postgresql://db/x"),
        ("ledger_url: postgresql://db/x\nlimits: postgresql://db/limits", None, "postgresql://db/limits"),
        ("limits: postgresql://db/limits", None, "postgresql://db/limits"),
    ):
        settings = load_settings(write(tmp_path, text), environ={})
        assert settings.limits_url == url, text
        assert folder is None or settings.limits_path == (tmp_path / folder).resolve(), text
    for text, said in (
        ("limits: mysql://db/limits", "must be a folder, or a PostgreSQL database such as postgresql://host/limits"),
        ("limits: postgresql://team:hunter2@db/x", "must not hold a password"),
    ):
        with pytest.raises(SettingsError, match=said) as refused:
            load_settings(write(tmp_path, text), environ={})
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["postgresql://team:hunter2@db/x", "postgresql+psycopg://:hunter2@/x", "postgresql://db/x?password=hunter2"],
)
def test_a_password_does_not_stand_in_the_ledgers_address(tmp_path: Path, url: str) -> None:
    for text, environ in ((f"ledger_url: {url}", {}), ("", {LEDGER_URL_VARIABLE: url})):
        with pytest.raises(SettingsError, match="must not hold a password: give that as PGPASSWORD") as refused:
            load_settings(write(tmp_path, text), environ=environ)
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("environ", [{}, {API_KEY_VARIABLE: ""}, {API_KEY_VARIABLE: "  \n"}])
def test_a_missing_key_is_told_by_its_variable(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=f"{API_KEY_VARIABLE} is not set.*never belongs in a file"):
        read_api_key(environ=environ)


def test_the_key_is_no_part_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_KEY_VARIABLE, "sk-mavi-secret")
    settings = load_settings(write(tmp_path, ""))
    assert read_api_key() == "sk-mavi-secret"
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert "secret" not in shown


def test_a_mistake_that_holds_the_key_does_not_repeat_it(tmp_path: Path) -> None:
    path = write(tmp_path, "api:\n  api_key: sk-mavi-secret\n  base_url: https://sk-mavi-secret@api.memories.ai\n")
    with pytest.raises(SettingsError) as refused:
        load_settings(path, environ={})
    assert "secret" not in str(refused.value)


def test_settings_do_not_change_once_loaded(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ""), environ={})
    with pytest.raises(ValueError, match="frozen"):
        settings.api.base_url = "https://other.example"  # type: ignore[misc]  # frozen, as the test shows
