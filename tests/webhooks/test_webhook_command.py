"""`visualsearch webhooks` as its page tells people to start it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path

import httpx

from tests.command_line import environment, visualsearch
from visualsearch_pipeline.ledger import Ledger

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
SECRET = "a-secret-of-thirty-characters-"  # noqa: S105  a test's own


def test_the_commands_of_the_page_start_a_receiver_that_ctrl_c_stops(tmp_path: Path) -> None:
    (tmp_path / "visualsearch.yaml").write_text("state: ./state\n")
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    script = block.replace("--port 8378", "--port 0").replace(
        "\nvisualsearch ", '\necho "$VISUALSEARCH_WEBHOOK_SECRET"; exec visualsearch '
    )
    with subprocess.Popen(
        ["bash", "-euc", script],
        cwd=tmp_path,
        env=environment(tmp_path, COLUMNS="200"),
        stdout=-1,
        stderr=-1,
        text=True,
    ) as receiver:
        try:
            assert receiver.stdout is not None
            assert receiver.stderr is not None
            secret = receiver.stdout.readline().strip()
            told = receiver.stderr.readline()
            address = re.findall(r"http://127\.0\.0\.1:\d+", told)[0]
            path = f"/callbacks/{secret}"
            answer = httpx.post(
                address + path, json={"videoNo": "VI-1", "status": "PARSE"}, trust_env=False, timeout=20
            )
            assert answer.status_code == 204
        finally:
            receiver.send_signal(signal.SIGINT)
            _, rest = receiver.communicate(timeout=20)
    assert receiver.returncode in (0, 130)
    assert secret not in told + rest
    assert "Traceback" not in rest
    with Ledger(f"sqlite:///{tmp_path / 'state' / 'ledger.db'}") as ledger:
        assert [notice.subject for notice in ledger.notices.unread("video")] == ["VI-1"]


def test_an_address_that_is_taken_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "visualsearch.yaml").write_text("state: ./state\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = visualsearch("webhooks", "--port", str(port), cwd=tmp_path, VISUALSEARCH_WEBHOOK_SECRET=SECRET)
    assert answer.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in answer.error_text
    assert SECRET not in answer.err
