"""The webhook receiver: real uvicorn over loopback; what it stores; what it tells whom (contract §4, §9.59)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.webhooks.receiving import SECRET, serving
from visualsearch_pipeline.ledger import Ledger, Notice
from visualsearch_pipeline.settings import Settings, SettingsError, read_callback_url, read_webhook_secret
from visualsearch_pipeline.webhooks import create_app
from visualsearch_pipeline.webhooks.deliveries import DeliveryRefused, read_delivery
from visualsearch_pipeline.webhooks.receiver import MAX_BODY_BYTES

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path)


@pytest.fixture
def receiver(settings: Settings) -> Iterator[httpx.Client]:
    with serving(create_app(settings, secret=SECRET, clock=lambda: NOON)) as client:
        yield client


@pytest.fixture
def unread(settings: Settings) -> Callable[[], list[Notice]]:
    def read() -> list[Notice]:
        with Ledger(settings.ledger_database_url) as ledger:
            return [notice for kind in ("video", "task", "unknown") for notice in ledger.notices.unread(kind)]

    return read


@pytest.mark.parametrize(
    ("said", "kind", "subject", "status"),
    [
        ({"videoNo": "VI-1", "status": "PARSE"}, "video", "VI-1", "PARSE"),
        ({"videoNo": "VI-1", "clientId": "c", "status": "FAIL"}, "video", "VI-1", "FAIL"),
        ({"taskId": "t-1", "status": "SUCCEEDED"}, "task", "t-1", "SUCCEEDED"),
        ({"taskId": 17, "status": "FAILED", "message": "no"}, "task", "17", "FAILED"),
        ({"videoId": "VI-2", "taskId": "t-1", "status": "INDEXING_SUCCEEDED"}, "video", "VI-2", "INDEXING_SUCCEEDED"),
        ({"code": 200, "message": "", "data": {}, "task_id": "x"}, "task", "x", None),
        ({"videoNo": None, "status": 7}, "unknown", None, "7"),
        ({"videoNo": "V" * 200}, "unknown", None, None),
        ({"videoNo": "VI-\u0000"}, "unknown", None, None),
        ({"videoNo": True}, "unknown", None, None),
        ({}, "unknown", None, None),
    ],
)
def test_each_described_shape_is_understood_and_others_are_kept(
    said: dict[str, object], kind: str, subject: str | None, status: str | None
) -> None:
    notice = read_delivery(json.dumps(said).encode(), at=NOON)
    assert (notice.kind, notice.subject, notice.claimed_status) == (kind, subject, status)
    assert json.loads(notice.body) == said


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[1]", b'"PARSE"', b"\xff\xfe", b"[" * 60_000, b'{"videoNo": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_json_object_is_refused(body: bytes, receiver: httpx.Client, unread: Callable[[], object]) -> None:
    with pytest.raises(DeliveryRefused):
        read_delivery(body, at=NOON)
    assert receiver.post(f"/callbacks/{SECRET}", content=body).status_code == 400
    assert unread() == []


def test_a_delivery_is_stored_once_however_often_and_however_it_is_written(
    receiver: httpx.Client, unread: Callable[[], list[Notice]]
) -> None:
    bodies = [b'{"videoNo":"VI-1","status":"PARSE"}', b'{ "status" : "PARSE", "videoNo" : "VI-1" }'] * 8
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: receiver.post(f"/callbacks/{SECRET}", content=body), bodies))
    assert {answer.status_code for answer in answers} == {204}
    (notice,) = unread()
    assert (notice.subject, notice.times_received, notice.received_at) == ("VI-1", 16, NOON)


def test_who_does_not_know_the_secret_learns_nothing_and_leaves_nothing(
    receiver: httpx.Client, unread: Callable[[], object]
) -> None:
    nowhere = receiver.get("/nowhere")
    assert nowhere.status_code == 404
    tried = [
        receiver.post("/callbacks/wrong", content=b"{}"),
        receiver.post(f"/callbacks/{SECRET}x", content=b"{}"),
        receiver.post(f"/callbacks/{SECRET[:-1]}", content=b"{}"),
        receiver.post("/callbacks/%C3%A9", content=b"{}"),
        receiver.get(f"/callbacks/{SECRET}"),
        receiver.get("/callbacks/wrong"),
        receiver.post("/callbacks/", content=b"{}"),
    ]
    for answer in tried:
        assert (answer.status_code, answer.content) == (nowhere.status_code, nowhere.content)
        assert SECRET not in str(answer.headers)
    assert unread() == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_large_delivery_is_refused_without_being_read_whole(
    receiver: httpx.Client, unread: Callable[[], object], *, announced: bool
) -> None:
    body = b'{"videoNo": "VI-1", "filling": "' + b"x" * MAX_BODY_BYTES + b'"}'
    answer = receiver.post(f"/callbacks/{SECRET}", content=body if announced else iter([body[:50_000], body[50_000:]]))
    assert answer.status_code == 413
    assert unread() == []


def test_a_ledger_that_cannot_be_written_is_said_and_mended(settings: Settings) -> None:
    with serving(create_app(settings, secret=SECRET)) as client, Ledger(settings.ledger_database_url) as ledger:
        with ledger._database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE notices RENAME TO away")
        assert client.post(f"/callbacks/{SECRET}", content=b'{"taskId": "t"}').status_code == 503
        with ledger._database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO notices")
        assert client.post(f"/callbacks/{SECRET}", content=b'{"taskId": "t"}').status_code == 204


def test_a_flood_of_notices_is_bounded(settings: Settings) -> None:
    with Ledger(settings.ledger_database_url) as ledger:
        notices = [read_delivery(json.dumps({"videoNo": f"VI-{n}"}).encode(), at=NOON) for n in range(4)]
        kept = [ledger.notices.receive(notice, unread_limit=3) for notice in notices]
        assert kept == [True, True, True, False]
        ledger.notices.mark_read([notices[0].digest], outcome="unknown", at=NOON)
        assert ledger.notices.receive(notices[3], unread_limit=3)


@pytest.mark.parametrize("secret", [None, "", "short", "with a space in it, and long enough", "x" * 129, "a/b" * 12])
def test_a_secret_that_cannot_keep_anyone_out_is_refused(secret: str | None) -> None:
    environ = {} if secret is None else {"VISUALSEARCH_WEBHOOK_SECRET": secret}
    with pytest.raises(SettingsError, match="openssl rand"):
        read_webhook_secret(environ=environ)


def test_the_address_to_call_back_needs_a_public_url_and_fits_the_service() -> None:
    environ = {"VISUALSEARCH_WEBHOOK_SECRET": SECRET}
    assert read_callback_url(Settings(), environ={}) is None
    settings = Settings.model_validate({"webhooks": {"public_url": "https://hooks.example.org/here/"}})
    assert read_callback_url(settings, environ=environ) == f"https://hooks.example.org/here/callbacks/{SECRET}"
    far = Settings.model_validate({"webhooks": {"public_url": "https://hooks.example.org/" + "x" * 250}})
    with pytest.raises(SettingsError, match="299"):
        read_callback_url(far, environ=environ)
