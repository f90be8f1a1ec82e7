"""Programs that know nothing of this package speak to the sandbox as they would to the service: only the host differs.

`curl` and `requests` are what the service's own guides show calls with. Each makes the same calls from an upload to a
download, and must get what the others get.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest
import requests

from tests.conftest import API_KEY, sandbox_config
from visualsearch_pipeline.sandbox import Dialect, Sandbox

if TYPE_CHECKING:
    from tests.conftest import ClipShelf

ROOT: Final = "/serve/api/v1"
TIMEOUT_SECONDS: Final = 30

Fields = Sequence[tuple[str, str]]


class Program(Protocol):
    """What a program must be able to do."""

    def post_json(self, operation: str, body: Mapping[str, object]) -> bytes: ...

    def post_form(self, operation: str, fields: Fields, *, file: Path, media_type: str) -> bytes: ...

    def get(self, operation: str, fields: Fields) -> bytes: ...


@dataclass(frozen=True)
class Curl:
    """The command line tool."""

    host: str

    def post_json(self, operation: str, body: Mapping[str, object]) -> bytes:
        return self._run(operation, "--header", "Content-Type: application/json", "--data", json.dumps(body))

    def post_form(self, operation: str, fields: Fields, *, file: Path, media_type: str) -> bytes:
        form = [f"file=@{file};type={media_type}", *(f"{name}={value}" for name, value in fields)]
        return self._run(operation, *(word for field in form for word in ("--form", field)))

    def get(self, operation: str, fields: Fields) -> bytes:
        query = [word for name, value in fields for word in ("--data-urlencode", f"{name}={value}")]
        return self._run(operation, "--get", *query)

    def _run(self, operation: str, *words: str) -> bytes:
        command = ["curl", "--silent", "--show-error", "--location", "--header", f"Authorization: {API_KEY}", *words]
        ended = subprocess.run(
            [*command, f"{self.host}{ROOT}/{operation}"], capture_output=True, check=True, timeout=TIMEOUT_SECONDS
        )
        return ended.stdout


@dataclass(frozen=True)
class Requests:
    """The library most scripts use."""

    host: str

    def post_json(self, operation: str, body: Mapping[str, object]) -> bytes:
        return self._content(operation, "POST", json=dict(body))

    def post_form(self, operation: str, fields: Fields, *, file: Path, media_type: str) -> bytes:
        with file.open("rb") as opened:
            part = {"file": (file.name, opened, media_type)}
            return self._content(operation, "POST", data=list(fields), files=part)

    def get(self, operation: str, fields: Fields) -> bytes:
        return self._content(operation, "GET", params=list(fields))

    def _content(self, operation: str, method: str, **given: Any) -> bytes:
        headers = {"Authorization": API_KEY}
        url = f"{self.host}{ROOT}/{operation}"
        return requests.request(method, url, headers=headers, timeout=TIMEOUT_SECONDS, **given).content


CURL_IS_MISSING = shutil.which("curl") is None and "CI" not in os.environ
PROGRAMS = [
    pytest.param(Curl, id="curl", marks=pytest.mark.skipif(CURL_IS_MISSING, reason="curl is not installed")),
    pytest.param(Requests, id="requests"),
]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_video_goes_there_is_found_and_comes_back(
    tmp_path: Path, clip_shelf: ClipShelf, red_picture: Path, program: type[Curl | Requests], dialect: Dialect
) -> None:
    with Sandbox(sandbox_config(tmp_path / "sandbox", dialect=dialect)) as server:
        one: Program = program(server.url)
        # The newest generation scopes by folder, the older ones by a name (contract §1.4).
        scope = {"folder_id": "-1"} if dialect is Dialect.OPENAPI else {"unique_id": "default"}
        clip = clip_shelf.path("red")
        fields = [*scope.items(), ("tags", "street"), ("tags", "night, late"), ("camera_model", "Éclair 16")]
        uploaded = data(one.post_form("upload", fields, file=clip, media_type="video/mp4"))
        video_no = uploaded["videoNo"]
        server.settle()

        listed = data(one.post_json("list_videos", {**scope, "page": 1, "size": 20}))
        (video,) = listed["videos"]
        assert (video["video_no"], video["status"]) == (video_no, "PARSE")
        assert {"street", "night, late"} <= set(server.videos()[0].tags)

        found = data(one.post_json("search", {**scope, "search_param": "red", "search_type": "BY_CLIP", "top_k": 5}))
        assert video_no in json.dumps(found)
        spoken = data(one.get("get_audio_transcription", [("video_no", video_no), *scope.items()]))
        assert "warranty" in json.dumps(spoken)
        assert one.post_json("download", {**scope, "video_no": video_no}) == clip.read_bytes()

        inside = [("video_no", video_no), ("prompt", "the red square"), *scope.items()]
        data(one.post_form("search_clips_by_image", inside, file=red_picture, media_type="image/png"))
        refused = json.loads(one.post_json("download", {**scope, "video_no": "VI1"}))
        assert refused["code"] != "0000"


def data(answer: bytes) -> Any:
    """What a successful answer carries."""
    envelope = json.loads(answer)
    assert envelope["code"] == "0000", envelope
    return envelope["data"]
