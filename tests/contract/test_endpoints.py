"""The table of endpoints is what client, sandbox and pipeline do: each method is called, and the journal read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import visualsearch_pipeline.pipeline as pipeline_package
from visualsearch_pipeline.api import FolderScope, UniqueIdScope, VisualSearchClient, VisualSearchError
from visualsearch_pipeline.sandbox import Dialect, Sandbox, SandboxConfig
from visualsearch_pipeline.sandbox.endpoints.table import routes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.conftest import Connect, Start

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "endpoints.md"
ROW = re.compile(r"^\| `(GET|POST) ([\w/]+)` \| (.+?) \| (\w+) \| (yes|no) \| \[\w+\]\(\.\./(.+?)\) \| §2\.\d+: .+ \|$")
NO_CALLS = frozenset({"base_url", "close", "scope"})
TIKTOK = "https://www.tiktok.com/@wolves"


class Row(NamedTuple):
    method: str
    operation: str
    client_methods: tuple[str, ...]
    dialects: str
    is_used_by_pipeline: bool
    test_file: str


def rows() -> list[Row]:
    found = [match.groups() for line in TABLE.read_text().splitlines() if (match := ROW.match(line))]
    return [
        Row(method, operation, tuple(re.findall(r"`(\w+)`", methods)), dialects, used == "yes", test_file)
        for method, operation, methods, dialects, used, test_file in found
    ]


def below(path: str) -> str:
    """An operation's address without the common path; the second address of downloads is that of the first."""
    return re.sub(r"^/serve/api/v[12]/", "", path)


def routes(dialect: Dialect) -> set[tuple[str, str]]:
    config = SandboxConfig(state_dir=Path("unused"), dialect=dialect)
    return {(method, below(path)) for path, by_method in routes_of(config).items() for method in by_method}


def client_methods() -> set[str]:
    return {name for name in dir(VisualSearchClient) if not name.startswith("_")} - NO_CALLS


def test_every_sandbox_route_is_listed_with_the_dialects_that_have_it() -> None:
    namespaces, folders = routes(Dialect.SPRING_2026), routes(Dialect.OPENAPI)
    assert routes(Dialect.LIVE_2025) == namespaces
    listed = {(row.method, row.operation): row.dialects for row in rows()}
    assert len(listed) == len(rows())
    assert listed == {
        route: "all" if route in namespaces & folders else "namespaces" if route in namespaces else "folders"
        for route in namespaces | folders
    }


def test_every_client_method_is_listed() -> None:
    assert {name for row in rows() for name in row.client_methods} == client_methods()


def test_the_table_says_what_the_pipeline_uses() -> None:
    sources = Path(next(iter(pipeline_package.__path__))).rglob("*.py")
    used = {name for path in sources for name in re.findall(r"\bclient\.(\w+)", path.read_text())}
    # The older name of the caption route is the same method; the public forms are a flag of the import methods.
    of_row = {row.operation: row.is_used_by_pipeline for row in rows() if not row.operation.endswith("_public")}
    expected = {
        row.operation: not used.isdisjoint(row.client_methods)
        for row in rows()
        if not row.operation.endswith("_public")
    }
    assert of_row == expected, "docs/endpoints.md, column Pipeline"


def test_every_test_file_named_speaks_of_the_endpoint() -> None:
    for row in rows():
        text = (ROOT / row.test_file).read_text()
        assert any(re.search(rf"\b{name}\b", text) for name in (row.operation, *row.client_methods)), row


class Given(NamedTuple):
    """What the calls below are about."""

    video_no: str
    bucket: str
    blob: str
    folder_id: int
    clip: Path
    picture: Path
    target: Path


def _stream(client: VisualSearchClient, given: Given) -> None:
    with client.open_download(given.video_no) as stream:
        assert b"".join(stream)


def _stream_blob(client: VisualSearchClient, given: Given) -> None:
    with client.open_blob_download(given.bucket, given.blob) as stream:
        assert b"".join(stream)


Call = tuple[str, str, "Callable[[VisualSearchClient, Given], object]"]

EVERYWHERE: tuple[Call, ...] = (
    ("POST upload", "upload", lambda client, given: client.upload(given.clip, upload_name="b.mp4")),
    ("POST upload_img", "upload_images", lambda client, given: client.upload_images([given.picture])),
    ("POST list_videos", "list_videos", lambda client, _: client.list_videos()),
    ("POST list_videos", "iter_videos", lambda client, _: list(client.iter_videos())),
    ("GET get_metadata", "get_metadata", lambda client, given: client.get_metadata(given.video_no)),
    ("POST search", "search", lambda client, _: client.search("red", top_k=5)),
    ("POST search", "search_images", lambda client, _: client.search_images("red", top_k=5)),
    (
        "POST search_similar_images",
        "search_similar_images",
        lambda client, given: client.search_similar_images(given.picture),
    ),
    (
        "POST search_clips_by_image",
        "search_clips_by_image",
        lambda client, given: client.search_clips_by_image(given.picture, video_no=given.video_no, prompt="red"),
    ),
    (
        "GET search_audio_transcripts",
        "search_audio_transcripts",
        lambda client, _: client.search_audio_transcripts("may"),
    ),
    (
        "GET search_audio_transcripts",
        "iter_audio_transcripts",
        lambda client, _: list(client.iter_audio_transcripts("may")),
    ),
    (
        "GET get_audio_transcription",
        "get_audio_transcription",
        lambda client, given: client.get_audio_transcription(given.video_no),
    ),
    ("GET get_video_caption", "get_video_caption", lambda client, given: client.get_video_caption(given.video_no)),
    ("POST download", "download", lambda client, given: client.download(given.video_no, given.target)),
    ("POST download", "open_download", _stream),
    (
        "GET download",
        "download_blob",
        lambda client, given: client.download_blob(given.bucket, given.blob, given.target),
    ),
    ("GET download", "open_blob_download", _stream_blob),
    ("POST scraper", "import_creator", lambda client, _: client.import_creator(TIKTOK, count=1)),
    ("POST scraper_tag", "import_hashtags", lambda client, _: client.import_hashtags(["wolves"], count_per_tag=1)),
    ("POST scraper_url", "import_posts", lambda client, _: client.import_posts([f"{TIKTOK}/video/1"])),
    (
        "POST scraper_public",
        "import_creator",
        lambda client, _: client.import_creator(TIKTOK, count=1, into_public=True),
    ),
    (
        "POST scraper_tag_public",
        "import_hashtags",
        lambda client, _: client.import_hashtags(["wolves"], count_per_tag=1, into_public=True),
    ),
    (
        "POST scraper_url_public",
        "import_posts",
        lambda client, _: client.import_posts([f"{TIKTOK}/video/1"], into_public=True),
    ),
    ("GET get_video_ids_by_task_id", "get_task_videos", lambda client, _: client.get_task_videos("a task")),
    ("POST search_public", "search_public", lambda client, _: client.search_public("red", top_k=5)),
    (
        "POST search_public_similar_images",
        "search_public_similar_images",
        lambda client, given: client.search_public_similar_images(given.picture),
    ),
    (
        "GET search_public_audio_transcripts",
        "search_public_audio_transcripts",
        lambda client, _: client.search_public_audio_transcripts("may"),
    ),
    (
        "GET search_public_audio_transcripts",
        "iter_public_audio_transcripts",
        lambda client, _: list(client.iter_public_audio_transcripts("may")),
    ),
    (
        "GET get_public_video_detail",
        "get_public_video_detail",
        lambda client, _: client.get_public_video_detail("PI-1"),
    ),
    (
        "GET get_public_audio_transcription",
        "get_public_audio_transcription",
        lambda client, _: client.get_public_audio_transcription("PI-1"),
    ),
    (
        "GET get_public_video_transcription",
        "get_public_video_transcription",
        lambda client, _: client.get_public_video_transcription("PI-1"),
    ),
)
WITH_NAMESPACES: tuple[Call, ...] = (
    ("GET list_unique_ids", "list_unique_ids", lambda client, _: client.list_unique_ids()),
)
WITH_FOLDERS: tuple[Call, ...] = (
    ("GET folders", "list_folders", lambda client, _: client.list_folders()),
    ("POST folders/create", "create_folder", lambda client, _: client.create_folder("Road")),
    (
        "POST folders/rename",
        "rename_folder",
        lambda client, given: client.rename_folder(given.folder_id, new_name="Way"),
    ),
    ("GET folders/videos", "list_folder_videos", lambda client, given: client.list_folder_videos(given.folder_id)),
    (
        "GET folders/videos",
        "iter_folder_videos",
        lambda client, given: list(client.iter_folder_videos(given.folder_id)),
    ),
    ("POST folders/move", "move_videos", lambda client, given: client.move_videos([given.video_no], folder_id=-1)),
    ("POST folders/delete", "delete_folder", lambda client, given: client.delete_folder(given.folder_id)),
)
AT_LAST: tuple[Call, ...] = (
    ("POST delete_videos", "delete_videos", lambda client, given: client.delete_videos([given.video_no])),
)


@pytest.fixture(params=[Dialect.LIVE_2025, Dialect.SPRING_2026, Dialect.OPENAPI])
def any_server(request: pytest.FixtureRequest, start: Start) -> Sandbox:
    return start(dialect=request.param)


def test_every_client_method_succeeds_at_the_endpoint_that_the_table_names(
    any_server: Sandbox, connect: Connect, red_clip: Path, red_picture: Path, tmp_path: Path
) -> None:
    has_folders = any_server.config.dialect is Dialect.OPENAPI
    client = connect(any_server, scope=FolderScope(-1) if has_folders else UniqueIdScope("default"))
    video_no = client.upload(red_clip, upload_name="a.mp4").video_no
    folder_id = client.create_folder("Street").folder_id if has_folders else 0
    any_server.settle()
    (stored,) = any_server.videos()
    given = Given(video_no, stored.bucket, stored.blob, folder_id, red_clip, red_picture, tmp_path / "got.mp4")
    listed = {f"{row.method} {row.operation}": row.client_methods for row in rows()}
    for endpoint, name, call in (*EVERYWHERE, *(WITH_FOLDERS if has_folders else WITH_NAMESPACES), *AT_LAST):
        assert name in listed[endpoint]
        since = any_server.journal()[-1].sequence
        call(client, given)
        made = [(f"{entry.method} {below(entry.path)}", entry.code) for entry in any_server.journal(since=since)]
        assert {where for where, _ in made} == {endpoint}, name
        assert {code for _, code in made} <= {"0000", None}, name


def test_no_client_method_is_left_out_above(client: VisualSearchClient) -> None:
    tried = {name for _, name, _ in (*EVERYWHERE, *WITH_NAMESPACES, *WITH_FOLDERS, *AT_LAST)}
    # Fetches from an address, so it has tests of its own (contract §9.21).
    assert client_methods() - tried == {"upload_url"}
    with pytest.raises(VisualSearchError):
        client.upload_url("http://127.0.0.1:9/a.mp4")
