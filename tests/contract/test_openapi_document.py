"""The sandbox against the service's own OpenAPI document, by generated requests.

The document is the vendor's and not part of this project: its path is taken from the environment.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract.document_exceptions import MISSING_FROM_THE_DOCUMENT, with_exceptions
from visualsearch_pipeline.api import FolderScope
from visualsearch_pipeline.sandbox import Dialect, Sandbox, SandboxConfig
from visualsearch_pipeline.sandbox.endpoints.table import routes_of

if TYPE_CHECKING:
    from tests.contract.conftest import Answering, Connect, Speak, Start

VARIABLE = "VISUALSEARCH_OPENAPI_DOCUMENT"
PREFIX = "/serve/api/v1/"
OPERATIONS = sorted(
    {
        (endpoint.method, path)
        for path, by_method in routes_of(SandboxConfig(state_dir=Path("unused"), dialect=Dialect.OPENAPI)).items()
        for endpoint in by_method.values()
        if endpoint.operation not in MISSING_FROM_THE_DOCUMENT and "get_video_transcription" not in path
    }
)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 20

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    path = os.environ.get(VARIABLE)
    if not path:
        pytest.skip(f"{VARIABLE} names no copy of the service's OpenAPI document, which is not part of this project")
    decoded: Json = json.loads(Path(path).read_text())
    return with_exceptions(decoded)


class Library:
    """A sandbox with something in it, and requests led to what is there."""

    def __init__(self, server: Sandbox, connect: Connect, answering: Answering, clip: Path, picture: Path) -> None:
        self.server = server
        self._clip, self._picture = clip, picture
        client = connect(server, scope=FolderScope(-1))
        self._folder_id = client.create_folder("Street").folder_id
        self._video_no = client.upload(clip, upload_name="red.mp4", tags=["street"]).video_no
        client.upload_images([picture])
        self._task_id = client.import_posts(["https://www.tiktok.com/@wolves/video/1"])
        server.settle()
        answering.say(clip.read_bytes(), media_type="video/mp4")
        self._link = f"{answering.url}/a.mp4"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = server.api_key

    def lead(self, case: Case[Any]) -> None:
        """Put ids and words that mean something here in the place of generated ones."""
        known: Json = {
            "video_no": self._video_no,
            "video_nos": [self._video_no],
            "folder_id": -1 if case.path.endswith(("upload", "upload_url", "/search")) else self._folder_id,
            "task_id": self._task_id,
            "url": self._link,
            "search_param": "red",
            "query": "warranty",
            "username": "https://www.tiktok.com/@wolves",
            "video_urls": ["https://www.tiktok.com/@wolves/video/1"],
            "tiktok_post_urls": ["https://www.tiktok.com/@wolves/video/2"],
            "hash_tags": ["wolves"],
            "datetime_taken": "2026-01-01 10:00:00",
            "quality": "720",
            "page": 1,
        }
        if case.path.endswith("delete_videos"):
            case.body = [self._video_no]
        for part in (case.query, case.body):
            if isinstance(part, dict):
                part.update({name: value for name, value in known.items() if name in part})
                if case.path.endswith("list_videos"):
                    part.pop("datetime_taken", None)
                if "latitude" in part or "longitude" in part:
                    part.update(latitude=48.85, longitude=2.29)

    def send(self, case: Case[Any], *, with_files: bool) -> requests.Response:
        """Send a request; whatever it names to be called or fetched is on this machine."""
        for part in (case.query, case.body):
            if isinstance(part, dict):
                for name in {"url", "callback", "callback_url"} & part.keys():
                    part[name] = self._link
        given = case.as_transport_kwargs(base_url=self.server.url, headers=dict(self.session.headers))
        if with_files and case.path.endswith("upload"):
            given["files"] = self._files(given, "file", ("a.mp4", self._clip.read_bytes(), "video/mp4"))
        elif with_files and case.media_type == "multipart/form-data":
            field = "files" if case.path.endswith("upload_img") else "file"
            given["files"] = self._files(given, field, ("a.png", self._picture.read_bytes(), "image/png"))
        return self.session.request(**given, timeout=30)

    @staticmethod
    def _files(given: Json, field: str, part: tuple[str, bytes, str]) -> list[tuple[str, object]]:
        # A boundary that was made for other parts does not fit these.
        given["headers"] = {name: value for name, value in given["headers"].items() if name.lower() != "content-type"}
        others = [(name, value) for name, value in given.get("files") or [] if name != field]
        return [*others, (field, part)]


@pytest.fixture
def library(
    start: Start,
    connect: Connect,
    answering: Answering,
    red_clip: Path,
    red_picture: Path,
    request: pytest.FixtureRequest,
) -> Library:
    needs_public = "public" in request.node.name
    server = start(dialect=Dialect.OPENAPI, public_library=needs_public)
    return Library(server, connect, answering, red_clip, red_picture)


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[path.removeprefix(PREFIX) for _, path in OPERATIONS])
def test_no_answer_is_outside_the_document(document: Json, library: Library, method: str, path: str) -> None:
    operation = schemathesis.openapi.from_dict(document)[path][method]
    codes: Counter[str] = Counter()

    def check(case: Case[Any], *, with_files: bool) -> None:
        response = library.send(case, with_files=with_files)
        case.validate_response(response, checks=CHECKS)
        is_json = response.headers["content-type"] == "application/json"
        codes[response.json()["code"] if is_json else "file"] += 1

    bounded = settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    @bounded
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE), is_led=st.booleans())
    def good_requests(case: Case[Any], is_led: bool) -> None:  # noqa: FBT001  drawn by hypothesis
        if is_led:
            library.lead(case)
        check(case, with_files=is_led)

    good_requests()
    assert codes["0000"] + codes["file"] > 0, f"no request succeeded: {codes}"
    if operation.body or operation.query:

        @bounded
        @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
        def bad_requests(case: Case[Any]) -> None:
            check(case, with_files=False)

        bad_requests()
        assert len(codes) > 1, f"no request was refused: {codes}"


def test_an_answer_outside_the_document_is_noticed(document: Json, start: Start, speak: Speak, red_clip: Path) -> None:
    server = start(dialect=Dialect.LIVE_2025)  # sends numbers as text
    speak(server).upload(red_clip)
    operation = schemathesis.openapi.from_dict(document)["/serve/api/v1/list_videos"]["POST"]
    case = operation.Case(body={"page": 1, "size": 20}, media_type="application/json")
    response = case.call(base_url=server.url, headers={"Authorization": server.api_key})
    with pytest.raises(FailureGroup, match="schema"):
        case.validate_response(response, checks=CHECKS)


def test_every_path_of_the_document_is_tried_or_named_as_an_exception(document: Json) -> None:
    in_document = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if method != "parameters"
    }
    assert in_document == set(OPERATIONS)


def test_every_exception_is_still_one(start: Start) -> None:
    routes = routes_of(start(dialect=Dialect.OPENAPI).config)
    spoken = {endpoint.operation for by_method in routes.values() for endpoint in by_method.values()}
    assert spoken >= MISSING_FROM_THE_DOCUMENT.keys()
