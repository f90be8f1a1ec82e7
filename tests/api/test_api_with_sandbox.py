"""The client against the package's own sandbox, which read the contract for itself: in every dialect the same."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.waiting import wait_until
from visualsearch_pipeline.api import (
    AuthenticationError,
    EndpointUnavailable,
    FolderScope,
    InvalidRequest,
    ResourceNotFound,
    RetryPolicy,
    UniqueIdScope,
    Video,
    VideoStatus,
    VisualSearchClient,
)
from visualsearch_pipeline.sandbox import Dialect, Sandbox, SandboxConfig


@pytest.fixture(scope="module", params=list(Dialect))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return Dialect(request.param)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(5))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(20):
            picture = np.zeros((64, 96, 3), dtype=np.uint8)
            picture[10:50, number : number + 50] = (230, 20, 20)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def sandbox(dialect: Dialect) -> Iterator[Sandbox]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = SandboxConfig(state_dir=folder, dialect=dialect, indexing_seconds=0, public_library=True)
        yield stack.enter_context(Sandbox(config))


@pytest.fixture
def client(sandbox: Sandbox, dialect: Dialect) -> Iterator[VisualSearchClient]:
    scope = FolderScope(-1) if dialect is Dialect.OPENAPI else UniqueIdScope("street")
    no_waits = RetryPolicy(initial_wait_seconds=0, max_wait_seconds=0, jitter_seconds=0)
    with VisualSearchClient(base_url=sandbox.url, api_key=sandbox.api_key, scope=scope, retry=no_waits) as client:
        yield client


def indexed(client: VisualSearchClient, video_no: str) -> Video:
    video: Video | None = None

    def is_indexed() -> bool:
        nonlocal video
        video = client.get_metadata(video_no)
        return video is not None and video.status is not VideoStatus.PROCESSING

    wait_until(is_indexed, seconds=30, told=lambda: f"{video_no} is {video}")
    assert video is not None
    return video


def test_the_life_of_a_video(client: VisualSearchClient, clip: Path, tmp_path: Path) -> None:
    content = clip.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    before = datetime.now(UTC)
    uploaded = client.upload(
        clip,
        upload_name='red "truck", no. 1.mp4',
        tags=[f"sha256:{sha256}", "day:2026-05-01"],
        captured_at=datetime(2026, 5, 1, 12, 30, tzinfo=UTC),
        camera_model="Nikon Z6",
        latitude=48.85,
        longitude=2.35,
        expected_sha256=sha256,
    )
    assert uploaded.sent_sha256 == sha256
    video = indexed(client, uploaded.video_no)
    assert video.status is VideoStatus.READY
    assert video.duration_seconds == pytest.approx(4, abs=1)
    assert video.size_bytes == len(content)
    assert video.created_at is not None
    assert abs((video.created_at - before).total_seconds()) < 60
    assert set(video.tags) == {f"sha256:{sha256}", "day:2026-05-01"}
    assert (video.captured_at, video.camera_model) == (datetime(2026, 5, 1, 12, 30, tzinfo=UTC), "Nikon Z6")
    listed = next(found for found in client.iter_videos() if found.video_no == uploaded.video_no)
    assert (listed.status, listed.size_bytes, listed.tags) == (video.status, video.size_bytes, video.tags)
    by_tag = client.list_videos(tag=f"sha256:{sha256}", taken_after=datetime(2026, 5, 1, tzinfo=UTC))
    assert uploaded.video_no in [found.video_no for found in by_tag.videos]

    hits = client.search("red truck", top_k=10, video_nos=[uploaded.video_no])
    assert hits
    assert {hit.video_no for hit in hits} == {uploaded.video_no}
    assert all(hit.start_seconds is not None and hit.score is not None for hit in hits)
    assert client.search("red", top_k=10, tag="day:1999-01-01") == ()
    client.get_audio_transcription(uploaded.video_no)
    captions = client.get_video_caption(uploaded.video_no)
    assert captions is not None
    assert captions.segments

    receipt = client.download(uploaded.video_no, tmp_path / "back.mp4", expected_sha256=sha256)
    assert receipt.proven_by == "sha256"
    assert (tmp_path / "back.mp4").read_bytes() == content
    if hits[0].keyframe_bucket and hits[0].keyframe_blob:
        receipt = client.download_blob(hits[0].keyframe_bucket, hits[0].keyframe_blob, tmp_path / "k.jpg")
        assert receipt.proven_by == "structure"
        likeness = client.search_similar_images(tmp_path / "k.jpg", similarity=0.5)
        assert uploaded.video_no in {hit.video_no for hit in likeness}
        within = client.search_clips_by_image(tmp_path / "k.jpg", video_no=uploaded.video_no, prompt="the red shape")
        assert {hit.video_no for hit in within} <= {uploaded.video_no}

    client.delete_videos([uploaded.video_no])
    client.delete_videos([uploaded.video_no])
    assert client.get_metadata(uploaded.video_no) is None
    with pytest.raises(ResourceNotFound):
        client.download(uploaded.video_no, tmp_path / "gone.mp4")


def test_a_file_that_is_no_video_fails_with_a_cause(client: VisualSearchClient, tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"surely no video" * 100)
    video = indexed(client, client.upload(path, upload_name="broken.mp4").video_no)
    assert video.status is VideoStatus.FAILED
    assert video.cause
    assert video.duration_seconds is None
    assert video.video_no in [found.video_no for found in client.iter_videos(status=VideoStatus.FAILED)]
    assert video.video_no not in [found.video_no for found in client.iter_videos(status=VideoStatus.READY)]


def test_pages_add_up(client: VisualSearchClient, clip: Path) -> None:
    uploaded = [client.upload(clip, upload_name=f"same {number}.mp4").video_no for number in range(5)]
    assert len(set(uploaded)) == 5, "the service does not recognise what it has"
    found = [video.video_no for video in client.iter_videos(size=2)]
    assert set(uploaded) <= set(found)
    assert len(found) == len(set(found))


def test_images_are_stored_and_found(client: VisualSearchClient, tmp_path: Path) -> None:
    path = tmp_path / "red logo.png"
    Image.new("RGB", (64, 64), (230, 20, 20)).save(path)
    (stored,) = client.upload_images([path], tags=["logo"])
    hits = client.search_images("red logo", top_k=10)
    assert stored.image_id in {hit.image_id for hit in hits}


def test_posts_are_imported_and_public_videos_searched(client: VisualSearchClient) -> None:
    task_id = client.import_creator("https://www.tiktok.com/@wolves", count=2)
    wait_until(
        lambda: len(client.get_task_videos(task_id).video_nos) >= 2,
        seconds=30,
        told=lambda: f"two posts, but {client.get_task_videos(task_id)}",
    )
    for video_no in client.get_task_videos(task_id).video_nos:
        assert indexed(client, video_no).status is VideoStatus.READY
    hits = client.search_public("red", top_k=5)
    assert all(hit.video_no.startswith("PI-") for hit in hits)
    if hits:
        detail = client.get_public_video_detail(hits[0].video_no)
        assert detail is not None
        assert detail.status is VideoStatus.READY


def test_each_generation_has_its_own_way_of_dividing_an_account(
    client: VisualSearchClient, dialect: Dialect, clip: Path
) -> None:
    if dialect is not Dialect.OPENAPI:
        client.upload(clip, upload_name="a.mp4")
        assert "street" in client.list_unique_ids()
        with pytest.raises(EndpointUnavailable):
            client.list_folders()
        return
    with pytest.raises(EndpointUnavailable):
        client.list_unique_ids()
    folder = client.create_folder("Street")
    with pytest.raises(InvalidRequest):
        client.create_folder("Street")
    video_no = client.upload(clip, upload_name="a.mp4").video_no
    client.move_videos([video_no], folder_id=folder.folder_id)
    assert [video.video_no for video in client.iter_folder_videos(folder.folder_id)] == [video_no]
    assert client.rename_folder(folder.folder_id, new_name="Road").folder_name == "Road"
    indexed(client, video_no)
    client.delete_videos([video_no])
    client.delete_folder(folder.folder_id)
    assert folder.folder_id not in {known.folder_id for known in client.list_folders()}


def test_a_wrong_key_is_refused(sandbox: Sandbox) -> None:
    with (
        VisualSearchClient(base_url=sandbox.url, api_key="sk-mavi-unknown", scope=UniqueIdScope()) as client,
        pytest.raises(AuthenticationError),
    ):
        client.list_videos()
