"""`visualsearch doctor` finds what would go wrong, says what to do, and shows the key to nobody."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.command_line import Answer, visualsearch
from visualsearch_pipeline.api import FolderScope, Scope, UniqueIdScope, VisualSearchClient
from visualsearch_pipeline.ledger import Content, ItemState, Sighting
from visualsearch_pipeline.pipeline.doctor import (
    Check,
    Level,
    check_environment,
    check_project,
    check_service,
)
from visualsearch_pipeline.pipeline.scope_check import setting_of
from visualsearch_pipeline.sandbox import SeededVideo
from visualsearch_pipeline.settings import API_KEY_VARIABLE, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.conftest import MakeProject, Project


def seed(project: Project, count: int, *, unique_id: str | None = None, folder_id: int | None = None) -> None:
    videos = [SeededVideo(video_name=f"v{number}", unique_id=unique_id, folder_id=folder_id) for number in range(count)]
    project.server.seed(videos, account="account")


def service(project: Project, *, ahead: timedelta = timedelta(0)) -> list[Check]:
    """The checks of the service, with our clock ahead of the true one."""

    def open_client(scope: Scope) -> VisualSearchClient:
        return VisualSearchClient(base_url=project.server.url, api_key=project.server.api_key, scope=scope)

    return list(check_service(project.settings, open_client=open_client, clock=lambda: datetime.now(UTC) + ahead))


def named(checks: Iterable[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def doctor(project: Project, **variables: str) -> Answer:
    given = {API_KEY_VARIABLE: project.server.api_key, **variables}
    return visualsearch("doctor", cwd=project.root, timeout_seconds=120, **given)


def words(answer: Answer) -> str:
    return " ".join(answer.out.split())


def test_all_is_well_with_a_project_that_works_and_nothing_is_billed(project: Project) -> None:
    project.run_steps()
    mark = project.mark()
    answer = doctor(project)
    assert answer.code == 0, answer
    assert {line.split()[0] for line in answer.out.splitlines() if not line.startswith(" ")} == {"ok"}
    assert "unique_id='default': 2 videos" in words(answer)
    assert max(map(len, answer.out.splitlines())) <= 80
    assert project.billable_calls(since=mark) == []


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [("Bearer {}", "`Bearer`"), ("'{}'", "quotes"), ("{} ", "space"), ("", "is not set"), ("{}x", "refuses the key")],
)
def test_a_key_that_cannot_be_right_is_explained_and_not_shown(project: Project, spoiled: str, said: str) -> None:
    key = project.server.api_key
    answer = doctor(project, **{API_KEY_VARIABLE: spoiled.format(key)})
    assert answer.code == 1
    assert said in words(answer)
    assert key not in answer.out + answer.err
    if said != "refuses the key":
        assert project.calls() == []


def test_a_wrong_namespace_is_a_warning_that_names_the_right_one(project: Project) -> None:
    seed(project, 3, unique_id="studio")
    seed(project, 1, unique_id="attic")
    project.configure(api={"scope": {"unique_id": "studoi"}})
    scope = named(service(project), "scope")
    assert scope.level is Level.WARNING
    assert "'studoi' holds no videos" in scope.found
    assert scope.remedy is not None
    assert "unique_id 'studio' (3 videos), unique_id 'attic' (1 videos)" in scope.remedy
    assert "api: {scope: {unique_id: studio}}" in scope.remedy
    # A namespace that is only asked about may come into being: the wrong one was not.
    assert all(entry.params.get("unique_id") != "studoi" for entry in project.calls())


def test_an_empty_account_is_no_mistake(project: Project) -> None:
    assert named(service(project), "scope").level is Level.OK


def test_a_folder_that_does_not_exist_fails_and_the_full_one_is_named(make_project: MakeProject) -> None:
    project = make_project(dialect="openapi")
    with VisualSearchClient(
        base_url=project.server.url, api_key=project.server.api_key, scope=FolderScope(-1)
    ) as client:
        folder = client.create_folder("street")
    seed(project, 2, folder_id=folder.folder_id)
    project.configure(api={"scope": {"folder_id": folder.folder_id + 1, "unique_id": None}})
    scope = named(service(project), "scope")
    assert scope.level is Level.FAILED
    assert "does not exist" in scope.found
    assert f"folder {folder.folder_id} 'street' (2 videos)" in str(scope.remedy)
    project.configure(api={"scope": {"folder_id": folder.folder_id, "unique_id": None}})
    assert named(service(project), "scope").found.endswith("2 videos")
    project.configure(api={"scope": {"folder_id": -1, "unique_id": None}})
    assert named(service(project), "scope").level is Level.WARNING


def test_a_service_of_the_other_style_is_recognised(make_project: MakeProject) -> None:
    folders = make_project(dialect="openapi")
    scope = named(service(folders), "scope")
    assert (scope.level, scope.found) == (Level.FAILED, "this service knows folders, not namespaces")
    namespaces = make_project(dialect="spring-2026")
    namespaces.configure(api={"scope": {"folder_id": -1, "unique_id": None}})
    seed(namespaces, 1, unique_id="studio")
    scope = named(service(namespaces), "scope")
    assert (scope.level, scope.found) == (Level.FAILED, "this service knows namespaces, not folders")
    assert "unique_id: studio" in str(scope.remedy)


@pytest.mark.parametrize(
    ("ahead", "level"),
    [
        (timedelta(seconds=20), Level.OK),
        (timedelta(minutes=-2), Level.WARNING),
        (timedelta(minutes=6), Level.FAILED),
        (timedelta(hours=-2), Level.FAILED),
    ],
)
def test_clocks_that_are_apart_are_told_before_they_hide_an_upload(
    project: Project, ahead: timedelta, level: Level
) -> None:
    check = named(service(project, ahead=ahead), "clock")
    assert check.level is level
    assert (check.remedy is None) == (level is Level.OK)


def test_a_service_that_does_not_answer_is_one_failure_and_the_rest_is_still_checked(project: Project) -> None:
    project.server.stop()
    answer = doctor(project)
    assert answer.code == 1
    assert "does not answer" in words(answer)
    (failed,) = (line for line in answer.out.splitlines() if line.startswith("failed"))
    assert failed.split()[1] == "service"


def test_what_is_wrong_on_this_machine_is_told_with_its_place(project: Project, tmp_path: Path) -> None:
    project.write_queries("broken", "queries: [{id: a, txt: red}]")
    project.configure(source={"path": "./nowhere"})
    (project.root / "state").mkdir()
    (project.root / "state" / "ledger.db").write_bytes(b"this is no database, whatever its name says" * 100)
    project.configure(api={"rate_limits": "documented"})
    (project.root / "state" / "limits").write_text("in the way")
    checks = list(check_project(project.settings))
    assert {check.name for check in checks if check.level is Level.FAILED} == {
        "queries",
        "source",
        "ledger",
        "rate limits",
    }
    assert "broken.yaml, line 1" in str(named(checks, "queries").remedy)
    assert all(check.remedy for check in checks if check.level is not Level.OK)


def test_settings_that_cannot_be_read_do_not_keep_the_rest_from_being_checked(project: Project) -> None:
    project.settings_path.write_text("stat: ./state\n")
    answer = doctor(project)
    assert answer.code == 1
    assert "line 1" in words(answer)
    assert "versions" in answer.out
    assert project.calls() == []


def test_dagster_s_home_is_looked_at(tmp_path: Path) -> None:
    def level(home: str) -> Level:
        return named(check_environment({"DAGSTER_HOME": home}), "DAGSTER_HOME").level

    assert level("") is Level.OK
    assert level("relative/home") is Level.FAILED
    assert level(str(tmp_path / "none")) is Level.WARNING
    assert level(str(tmp_path)) is Level.WARNING
    (tmp_path / "dagster.yaml").touch()
    assert level(str(tmp_path)) is Level.OK


def test_a_disk_too_small_for_what_is_to_come_is_told_before_it_is_full(project: Project) -> None:
    with project.pipeline() as pipeline:
        free = os.statvfs(project.root)
        size_bytes = free.f_bavail * free.f_frsize + 1
        uri, now, day = "file:///large.mp4", pipeline.now(), project.today
        sighting = Sighting(uri, "large.mp4", day, ItemState.FOUND, size_bytes, now, None)
        pipeline.ledger.items.record_sightings([sighting], gone=[], seen_at=now)
        content = Content("0" * 64, day, uri, "large.mp4", size_bytes)
        pipeline.ledger.items.record_accepted(uri, content=content, upload_name="large.mp4", at=now)
    check = named(check_project(project.settings), "disk")
    assert check.level is Level.WARNING
    assert "archive" in str(check.remedy)
    project.configure(archive={"videos": False})
    assert named(check_project(project.settings), "disk").level is Level.OK


def test_scopes_are_written_as_the_settings_take_them() -> None:
    for scope in (UniqueIdScope("a: b"), UniqueIdScope("7"), FolderScope(7), FolderScope(-1)):
        settings = Settings.model_validate(yaml.safe_load(setting_of(scope)))
        assert settings.api.scope.model_dump(exclude_none=True) == asdict(scope)
