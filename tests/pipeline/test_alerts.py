"""Alerts: once per set of new hits, after it is published, whatever the receiver does and wherever we are killed."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.alert_receiver import AlertReceiver, alert_receiver
from tests.byte_search import places_of
from tests.command_line import REPOSITORY, environment, visualsearch
from tests.conftest import API_KEY, lay_out_project, sandbox_config
from visualsearch_pipeline.ledger import DeliveryState
from visualsearch_pipeline.pipeline.alerts import AlertsReport, NoSuchDelivery, resend_alerts, send_alerts
from visualsearch_pipeline.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.conftest import ClipShelf, Project

VARIABLE = "STREET_TEAM_WEBHOOK"
RED = "  - {{id: red, text: red, filtering_level: low, alert: {alert}}}\n"
BLUE = "  - {id: blue, text: blue, filtering_level: low}\n"


@pytest.fixture
def receiver() -> Iterator[AlertReceiver]:
    with alert_receiver() as started:
        yield started


def write_queries(project: Project, alert: str) -> None:
    project.write_queries("street", "queries:\n" + RED.format(alert=alert) + BLUE)


def find_news(project: Project, *, alert: str) -> None:
    """Let the last run of a project find new hits of `red`, of which nobody was told yet."""
    project.configure(alerts={"deadline_seconds": 1.5})
    write_queries(project, alert)
    project.run_steps(run_id="the first run")
    project.add_clip("red-2", "second.mp4", days_ago=2)
    project.run_steps(run_id="the second run")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, clip_shelf: ClipShelf, red_picture: Path) -> Iterator[Project]:
    """A project with news, made once: sending needs its files and no service."""
    root = tmp_path_factory.mktemp("news") / "project"
    with pytest.MonkeyPatch.context() as patch, Sandbox(sandbox_config(root / "sandbox")) as server:
        patch.setenv("VISUALSEARCH_API_KEY", API_KEY)
        project = lay_out_project(root, server, shelf=clip_shelf, picture=red_picture, clips=["red", "blue"])
        find_news(project, alert="{on: new_hits, webhook: STREET_TEAM_WEBHOOK}")
        yield project


@pytest.fixture
def news(finished: Project, tmp_path: Path) -> Project:
    """A copy of it, to be told of."""
    root = tmp_path / "project"
    shutil.copytree(finished.root, root, ignore=shutil.ignore_patterns("sandbox", "footage"))
    return replace(finished, root=root)


def send(project: Project, receiver: AlertReceiver | None = None, **given: Any) -> AlertsReport:
    environ = {} if receiver is None else {VARIABLE: receiver.url}
    with project.pipeline(**given) as pipeline:
        return send_alerts(pipeline, environ=environ)


def failures(project: Project) -> list[tuple[str, bool]]:
    with project.pipeline() as pipeline:
        open_ones = pipeline.ledger.failures.unresolved(step="alerts")
    return [(failure.reason, failure.retryable) for failure in open_ones]


def test_new_hits_are_told_once_and_hold_what_the_tables_say(news: Project, receiver: AlertReceiver) -> None:
    assert send(news, receiver) == AlertsReport(delivered=1)
    assert send(news, receiver) == AlertsReport()

    ((delivery_id, alert),) = receiver.received
    ((count, version),) = news.sql(
        "SELECT count(*), any_value(query_version) FROM hit_changes "
        "WHERE query_id = 'red' AND run_id = 'the second run'"
    )
    assert count > 0
    assert alert["delivery_id"] == delivery_id
    assert (alert["event"], alert["run_id"], alert["new_hits"]) == ("new_hits", "the second run", count)
    assert alert["query"] == {
        "query_set": "street",
        "query_id": "red",
        "query_version": version,
        "kind": "text",
        "asks": "red",
        "description": None,
    }
    scores = [hit["score"] for hit in alert["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == min(count, 10)
    best = alert["hits"][0]
    assert best["media_name"] == "second.mp4"
    assert best["day"] == (news.today - timedelta(days=2)).isoformat()
    assert best["end_seconds"] > best["start_seconds"] >= 0
    assert Path(best["keyframe_path"]).is_file()
    assert f"{count} new hit" in alert["text"]


def test_the_first_run_and_queries_without_an_alert_tell_nothing(project: Project, receiver: AlertReceiver) -> None:
    write_queries(project, "new_hits")
    project.configure(alerts={"webhook": VARIABLE})
    project.run_steps(run_id="the first run")
    assert send(project, receiver) == AlertsReport()
    project.add_clip("blue-2", "second.mp4", days_ago=2)
    project.run_steps(run_id="the second run")
    assert project.sql("SELECT count(*) > 0 FROM hit_changes WHERE query_id = 'blue'") == [(True,)]
    send(project, receiver)
    assert {alert["query"]["query_id"] for _, alert in receiver.received} <= {"red"}


def test_an_alert_that_is_asked_for_later_is_not_told_of_history(project: Project, receiver: AlertReceiver) -> None:
    find_news(project, alert="null")
    write_queries(project, "{webhook: STREET_TEAM_WEBHOOK}")
    project.run_steps(run_id="the third run")
    assert send(project, receiver) == AlertsReport()

    project.add_clip("red-3", "third.mp4", days_ago=3)
    project.run_steps(run_id="the fourth run")
    assert send(project, receiver) == AlertsReport(delivered=1)
    assert [alert["run_id"] for _, alert in receiver.received] == ["the fourth run"]


def test_an_alert_does_not_change_what_is_asked(project: Project) -> None:
    write_queries(project, "null")
    project.run_steps()
    mark = project.mark()
    write_queries(project, "new_hits")
    project.run_steps()
    assert project.calls("search", since=mark) == []


def test_trouble_of_the_receiver_is_waited_out(news: Project) -> None:
    with alert_receiver(500, 429) as receiver:
        assert send(news, receiver) == AlertsReport(delivered=1)
        assert len(receiver.received) == 3
        assert len(set(receiver.delivery_ids)) == 1
    assert failures(news) == []


@pytest.mark.parametrize(
    ("answers", "said", "posts"),
    [
        ([500] * 9, "has trouble (HTTP 500)", None),
        ([302], "redirects (HTTP 302), which is not followed", 1),
        ([403], "refuses the alert (HTTP 403)", 1),
        pytest.param(["late"] * 9, "gave no answer in time", None, marks=pytest.mark.soak),
    ],
)
def test_what_is_not_taken_is_a_failure_that_the_next_run_mends(
    news: Project, answers: list[int | str], said: str, posts: int | None
) -> None:
    with alert_receiver(*answers) as receiver:
        assert send(news, receiver) == AlertsReport(failed=1)
        assert posts is None or len(receiver.received) == posts
        assert "/elsewhere" not in receiver.paths
    ((reason, is_retryable),) = failures(news)
    assert said in reason
    assert f"${VARIABLE}" in reason
    assert is_retryable

    with alert_receiver() as mended:
        assert send(news, mended) == AlertsReport(delivered=1)
        assert set(mended.delivery_ids) == set(receiver.delivery_ids)
    assert failures(news) == []


def test_a_receiver_that_is_not_there_and_a_variable_that_is_not_set_say_what_to_do(news: Project) -> None:
    assert send(news) == AlertsReport(failed=1)
    assert f"the environment variable {VARIABLE}" in failures(news)[0][0]
    with alert_receiver() as gone:
        pass
    assert send(news, gone) == AlertsReport(failed=1)
    assert "cannot be reached (ConnectError)" in failures(news)[0][0]


def test_an_alert_that_nobody_takes_is_given_up_and_sent_on_request(news: Project, receiver: AlertReceiver) -> None:
    send(news)
    later = datetime.now(UTC) + timedelta(days=8)
    assert send(news, clock=lambda: later) == AlertsReport(given_up=1)
    assert send(news, receiver, clock=lambda: later) == AlertsReport()
    ((reason, is_retryable),) = failures(news)
    assert "--retry" in reason
    assert not is_retryable

    with news.pipeline() as pipeline:
        assert resend_alerts(pipeline, environ={VARIABLE: receiver.url}) == AlertsReport(delivered=1)
        (delivery,) = pipeline.ledger.alerts.deliveries()
        assert delivery.state is DeliveryState.DELIVERED
        with pytest.raises(NoSuchDelivery, match="there is no delivery nonsense"):
            resend_alerts(pipeline, delivery_ids=["nonsense"])
    assert failures(news) == []


def test_the_address_is_in_no_log_and_in_no_file(
    news: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "T0KEN-9f8e7d6c5b4a"  # noqa: S105  # no password of anybody
    with caplog.at_level(logging.DEBUG), alert_receiver(500, 404) as receiver:
        receiver.url += f"/services/{token}"
        send(news, receiver)
        assert receiver.paths == [f"/services/{token}"] * 2
    assert token not in caplog.text
    assert token not in failures(news)[0][0]
    assert places_of(token, news.root) == []


def a_program(folder: Path, text: str) -> Path:
    path = folder / "notify"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_command_gets_the_alert_and_no_key(news: Project, tmp_path: Path) -> None:
    a_program(
        news.root / "queries",
        """
        import json, os, sys
        told = {"alert": json.load(sys.stdin), "arguments": sys.argv[1:], "environment": dict(os.environ)}
        json.dump(told, open("told.json", "w"))
        """,
    )
    write_queries(news, "{command: [./notify, 'a; b $HOME']}")
    with news.pipeline() as pipeline:
        environ = {**os.environ, "VISUALSEARCH_API_KEY": "sk-secret"}
        assert send_alerts(pipeline, environ=environ) == AlertsReport(delivered=1)
    told = json.loads((news.root / "queries" / "told.json").read_text())
    assert told["alert"]["run_id"] == "the second run"
    assert told["arguments"] == ["a; b $HOME"]
    assert told["environment"]["VISUALSEARCH_DELIVERY_ID"] == told["alert"]["delivery_id"]
    assert "VISUALSEARCH_API_KEY" not in told["environment"]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys\nsys.exit('no such channel')", "ended with code 1: no such channel"),
        ("import subprocess\nsubprocess.run(['sleep', '60'])", "took longer than 1.5 s and was ended"),
        (None, "cannot be started"),
    ],
)
def test_a_command_that_fails_is_tried_again_by_the_next_run(news: Project, program: str | None, said: str) -> None:
    if program is not None:
        a_program(news.root / "queries", program)
    write_queries(news, "{command: [./notify]}")
    assert send(news) == AlertsReport(failed=1)
    assert said in failures(news)[0][0]
    a_program(news.root / "queries", "import sys\nsys.stdin.read()")
    assert send(news) == AlertsReport(delivered=1)


KILLED = """
import os, signal, sys
from pathlib import Path
from visualsearch_pipeline.ledger.alerts import Alerts
from visualsearch_pipeline.pipeline.alerts import send_alerts
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.settings import load_settings

def die(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "record_delivered":
        os.kill(os.getpid(), signal.SIGKILL)
sys.setprofile(die)
with Pipeline(load_settings(Path(sys.argv[1]), environ={}), open_client=None, run_id="killed") as pipeline:
    send_alerts(pipeline)
"""


def test_killed_between_sending_and_recording_it_comes_again_under_the_same_id(
    news: Project, receiver: AlertReceiver, tmp_path: Path
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(news.settings_path)],
        env=environment(tmp_path, **{VARIABLE: receiver.url}),
        cwd=REPOSITORY,
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(receiver.received) == 1

    assert send(news, receiver) == AlertsReport(delivered=1)
    (first, body), (second, again) = receiver.received
    assert (first, body) == (second, again)
    assert send(news, receiver) == AlertsReport()


@pytest.mark.soak
def test_the_command_lists_deliveries_and_sends_again(news: Project, receiver: AlertReceiver, tmp_path: Path) -> None:
    send(news)
    config = ("--config", str(news.settings_path))
    listed = visualsearch("alerts", *config, cwd=tmp_path)
    assert listed.code == 3
    assert "street.red" in " ".join(listed.out.split())

    mended = visualsearch("alerts", "--retry", *config, cwd=tmp_path, STREET_TEAM_WEBHOOK=receiver.url)
    assert (mended.code, len(receiver.received)) == (0, 1)
    (delivery_id,) = receiver.delivery_ids
    again = visualsearch("alerts", "--retry", delivery_id, *config, cwd=tmp_path, STREET_TEAM_WEBHOOK=receiver.url)
    assert (again.code, receiver.delivery_ids) == (0, [delivery_id] * 2)
    unknown = visualsearch("alerts", "--retry", "nonsense", *config, cwd=tmp_path)
    assert (unknown.code, "there is no delivery nonsense" in unknown.error_text) == (1, True)


@pytest.mark.soak
def test_a_run_tells_after_it_has_published(
    project: Project, receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, receiver.url)
    write_queries(project, "{webhook: STREET_TEAM_WEBHOOK}")
    project.run()
    assert receiver.received == []
    project.add_clip("red-2", "second.mp4", days_ago=2)
    assert project.run().is_done
    ((_, alert),) = receiver.received
    assert project.sql("SELECT count(*) FROM hit_changes WHERE change = 'new'") == [(alert["new_hits"],)]
    project.run()
    assert len(receiver.received) == 1
