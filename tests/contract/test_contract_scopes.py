"""Contract §9.37-9.39: namespaces and folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from visualsearch_pipeline.api import FolderScope, InvalidInput, InvalidRequest, UniqueIdScope
from visualsearch_pipeline.sandbox import Dialect, Sandbox
from visualsearch_pipeline.settings import ScopeSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.conftest import Connect, Speak, Start, Wire

UNKNOWN_FOLDER = 606_404_158_946_574_337


def test_37_a_wrong_namespace_is_empty_null_and_success_without_effect(
    server: Sandbox, wire: Wire, connect: Connect, red_clip: Path
) -> None:
    video_no = wire.upload(red_clip)
    server.settle()
    assert [item["video_no"] for item in wire.listed()] == [video_no]
    assert [item["video_no"] for item in wire.listed(unique_id="default")] == [video_no]
    elsewhere = connect(server, scope=UniqueIdScope("elsewhere"))
    assert list(elsewhere.iter_videos()) == []
    assert elsewhere.get_metadata(video_no) is None
    assert elsewhere.search("red", top_k=5) == ()
    elsewhere.delete_videos([video_no])
    assert [item["video_no"] for item in wire.listed()] == [video_no]


def test_37_without_a_folder_it_is_the_whole_account_and_an_unknown_folder_is_an_error(
    start: Start, speak: Speak, connect: Connect, red_clip: Path
) -> None:
    server = start(dialect=Dialect.OPENAPI)
    wire, client = speak(server), connect(server)
    folder = client.create_folder("Street")
    inside = connect(server, scope=FolderScope(folder.folder_id)).upload(red_clip, upload_name="in.mp4").video_no
    outside = client.upload(red_clip, upload_name="out.mp4").video_no
    assert {item["video_no"] for item in wire.listed()} == {inside, outside}
    assert [item["video_no"] for item in wire.listed(folder_id=folder.folder_id)] == [inside]
    assert [video.video_no for video in client.iter_videos()] == [outside]
    unknown = connect(server, scope=FolderScope(UNKNOWN_FOLDER))
    for call in (
        unknown.list_videos,
        lambda: unknown.search("red", top_k=5),
        lambda: unknown.upload(red_clip, upload_name="a.mp4"),
    ):
        with pytest.raises(InvalidRequest):
            call()
    legacy = connect(server, scope=FolderScope(-2))
    assert list(legacy.iter_videos()) == []
    with pytest.raises(InvalidRequest, match="read-only"):
        legacy.upload(red_clip, upload_name="a.mp4")


@pytest.mark.parametrize(
    ("dialect", "scope", "sent"),
    [
        (Dialect.SPRING_2026, UniqueIdScope("street"), {"unique_id": "street"}),
        (Dialect.OPENAPI, FolderScope(-1), {"folder_id": "-1"}),
    ],
)
def test_38_exactly_one_kind_of_scope_goes_out_the_same_at_upload_and_later(
    start: Start,
    connect: Connect,
    red_clip: Path,
    red_picture: Path,
    dialect: Dialect,
    scope: UniqueIdScope | FolderScope,
    sent: dict[str, str],
) -> None:
    server = start(dialect=dialect)
    client = connect(server, scope=scope)
    video_no = client.upload(red_clip, upload_name="a.mp4").video_no
    server.settle()
    client.list_videos()
    client.search("red", top_k=5)
    for_library = len(server.journal())
    client.upload_images([red_picture])
    client.get_metadata(video_no)
    client.get_video_caption(video_no)
    client.search_clips_by_image(red_picture, video_no=video_no, prompt="the square")
    client.delete_videos([video_no])
    scopes = [
        {name: value for name, value in entry.params.items() if name in {"unique_id", "folder_id"}}
        for entry in server.journal()
    ]
    assert scopes[:for_library] == [sent] * 3
    # About images and single videos the folder style takes no scope (contract §1.9).
    assert scopes[for_library:] == [sent if dialect is Dialect.SPRING_2026 else {}] * 5


def test_38_both_kinds_at_once_or_none_cannot_be_configured() -> None:
    for both in ({"unique_id": "a", "folder_id": 1}, {"unique_id": None, "folder_id": None}):
        with pytest.raises(ValueError, match="exactly one"):
            ScopeSettings.model_validate(both)
    with pytest.raises(InvalidInput):
        UniqueIdScope(" ")


def test_39_the_rules_of_folders(start: Start, speak: Speak, connect: Connect, red_clip: Path) -> None:
    server = start(dialect=Dialect.OPENAPI)
    wire, client = speak(server), connect(server)
    folder = client.create_folder("Street")
    with pytest.raises(InvalidRequest, match="exists"):
        client.create_folder("Street")
    assert wire.form("folders/create", name="x" * 101)["code"] == "0001"
    with pytest.raises(InvalidInput):
        client.create_folder("x" * 101)
    assert [known.folder_name for known in client.list_folders()].count("Street") == 1

    video_no = client.upload(red_clip, upload_name="a.mp4").video_no
    with pytest.raises(InvalidRequest):
        client.move_videos([video_no], folder_id=UNKNOWN_FOLDER)
    too_many = [f"VI{number}" for number in range(501)]
    assert wire.post("folders/move", {"folder_id": folder.folder_id, "video_nos": too_many})["code"] == "0001"
    client.move_videos([video_no], folder_id=folder.folder_id)
    server.settle()
    with pytest.raises(InvalidRequest, match="parsed videos"):
        client.delete_folder(folder.folder_id)
    client.delete_videos([video_no])
    client.delete_folder(folder.folder_id)
    assert folder not in client.list_folders()
