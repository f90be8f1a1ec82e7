import io
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import av
import fsspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unprivileged import unprivileged
from visualsearch_pipeline.api.limits import MAX_UPLOAD_BYTES
from visualsearch_pipeline.demo.encoding import SubtitleLine, encode_clip, pad_mp4
from visualsearch_pipeline.media import (
    FileVanished,
    MediaInfo,
    MediaRejected,
    RejectionReason,
    SourceFile,
    discover,
    probe,
)

TAGS = {"creation_time": "2026-01-05T10:00:00Z", "make": "Sony", "model": "ILCE-7M4", "location": "+48.1351+011.5820/"}


def found(path: Path) -> SourceFile:
    (file,) = (file for file in discover(str(path.parent), include=["**"]).files if file.name == path.name)
    return file


def rejection(path: Path) -> MediaRejected:
    with pytest.raises(MediaRejected) as caught:
        probe(found(path))
    assert caught.value.uri == f"file://{path}"
    return caught.value


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sample") / "sample.mp4"
    return encode_clip(path, seconds=1, audio=np.zeros_like).read_bytes()


def front_indexed(sample: bytes, *, path: Path) -> bytes:
    """The same film with its index in front, as a file prepared for the web has it."""
    return remuxed(sample, kind="video", path=path, options={"movflags": "faststart"})


def remuxed(sample: bytes, *, kind: Literal["audio", "video"], path: Path, options: dict[str, str]) -> bytes:
    """One stream of the sample in a file of its own."""
    with av.open(io.BytesIO(sample), "r") as source, av.open(str(path), "w", options=options) as target:
        (original,) = (stream for stream in source.streams if stream.type == kind)
        stream = target.add_stream_from_template(original)
        for packet in source.demux(original):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "container", "subtitle_codec"),
    [
        ("clip.mp4", "mov,mp4,m4a,3gp,3g2,mj2", "mov_text"),
        ("clip.MOV", "mov,mp4,m4a,3gp,3g2,mj2", "mov_text"),
        ("clip.mkv", "matroska,webm", "subrip"),
    ],
)
def test_a_clip_is_described_with_what_its_camera_wrote(
    tmp_path: Path, name: str, container: str, subtitle_codec: str
) -> None:
    lines = [SubtitleLine(0.0, 1.0, "Good evening.")]
    path = encode_clip(tmp_path / name, seconds=2, audio=np.zeros_like, subtitles=lines, tags=TAGS)

    info = probe(found(path))

    assert info.container == container
    assert info.size_bytes == path.stat().st_size
    assert info.duration_seconds == pytest.approx(2, abs=0.05)
    assert (info.video_codec, info.width, info.height, info.fps) == ("h264", 320, 180, 12.0)
    assert info.frame_count in ({24} if container.startswith("mov") else {None})
    assert (info.has_audio, info.audio_codec) == (True, "aac")
    assert info.subtitle_codecs == (subtitle_codec,)
    assert info.captured_at == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert info.camera_model == "Sony ILCE-7M4"
    assert (info.latitude, info.longitude) == (48.1351, 11.582)


@pytest.mark.parametrize(
    ("tags", "camera_model"),
    [
        (
            {
                "com.apple.quicktime.make": "Apple",
                "com.apple.quicktime.model": "iPhone 15 Pro",
                "com.apple.quicktime.creationdate": "2026-01-05T11:00:00+0100",
                "com.apple.quicktime.location.ISO6709": "+48.1351+011.5820+519.0/",
                "creation_time": "2026-03-03T03:03:03Z",
            },
            "Apple iPhone 15 Pro",
        ),
        (
            {
                "com.android.manufacturer": "Google",
                "com.android.model": "Pixel 8",
                "location": "+48.1351+011.5820/",
                "creation_time": "2026-01-05T10:00:00Z",
            },
            "Google Pixel 8",
        ),
    ],
)
def test_phones_are_understood(tmp_path: Path, tags: dict[str, str], camera_model: str) -> None:
    info = probe(found(encode_clip(tmp_path / "phone.mp4", seconds=0.5, tags=tags)))
    assert info.captured_at == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert info.camera_model == camera_model
    assert (info.latitude, info.longitude) == (48.1351, 11.582)


def test_a_clip_without_sound_or_tags_says_so(tmp_path: Path) -> None:
    info = probe(found(encode_clip(tmp_path / "bare.avi", seconds=0.5)))
    assert info.has_audio is False
    assert (info.captured_at, info.camera_model, info.latitude, info.longitude) == (None, None, None, None)
    assert info.subtitle_codecs == ()


@pytest.mark.parametrize(("codec", "name"), [("hevc", "clip.mp4"), ("vp9", "clip.mkv"), ("h264", "clip.avi")])
def test_every_codec_that_the_service_takes_is_accepted(tmp_path: Path, codec: str, name: str) -> None:
    path = encode_clip(tmp_path / name, seconds=0.5, codec=codec)  # type: ignore[arg-type] # a row of the table above
    assert probe(found(path)).video_codec == codec


def test_a_codec_that_the_service_does_not_take_is_named_with_the_remedy(tmp_path: Path) -> None:
    rejected = rejection(encode_clip(tmp_path / "old camera.avi", seconds=0.5, codec="mpeg4"))
    assert rejected.reason is RejectionReason.CODEC
    assert "mpeg4 is not accepted, only h264, hevc, vp9" in rejected.message
    assert "ffmpeg -i 'old camera.avi' -c:v libx264" in rejected.message


def test_the_remedy_can_be_pasted_even_for_a_name_with_a_leading_dash_and_quotes(tmp_path: Path) -> None:
    path = encode_clip(tmp_path / "-it's.avi", seconds=0.5, codec="mpeg4")
    command = rejection(path).message.partition("Re-encode it: ")[2].replace("ffmpeg", "printf '<%s>'", 1)
    printed = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, cwd=tmp_path).stdout  # noqa: S602 (that a shell reads it is the point)
    assert "<./-it's.avi>" in printed
    assert "<./-it's.h264.mp4>" in printed


@pytest.mark.parametrize("name", ["clip.webm", "clip.txt", "clip", "clip.mp4.part"])
def test_an_extension_that_the_service_does_not_take_is_refused_without_opening_the_file(name: str) -> None:
    file = SourceFile("file:///does/not/exist", name, name, 5)
    with pytest.raises(MediaRejected) as caught:
        probe(file)
    assert caught.value.reason is RejectionReason.EXTENSION
    assert ".avi, .mkv, .mov, .mp4" in caught.value.message


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    assert rejection(tmp_path / "empty.mp4").reason is RejectionReason.EMPTY


def test_a_file_over_the_limit_is_refused_and_one_at_the_limit_is_not(tmp_path: Path) -> None:
    path = pad_mp4(encode_clip(tmp_path / "large.mp4", seconds=0.5), size_bytes=MAX_UPLOAD_BYTES)
    assert probe(found(path)).size_bytes == MAX_UPLOAD_BYTES
    os.truncate(path, MAX_UPLOAD_BYTES + 1)
    rejected = rejection(path)
    assert rejected.reason is RejectionReason.TOO_LARGE
    assert str(MAX_UPLOAD_BYTES + 1) in rejected.message


@pytest.mark.parametrize(
    ("content", "seems"),
    [
        (b"Meeting notes, 5 January\n* buy film\n" * 40, "text"),
        ("Müller größer ".encode() * 100, "text"),
        (b"\x00" * 5000, "nothing but zero bytes"),
        (b"PK\x03\x04" + bytes(range(256)) * 20, "a ZIP archive"),
        (b"%PDF-1.7\n" + b"x" * 3000, "a PDF document"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\n" * 50, "text"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", "text"),
        (bytes(range(256)) * 40, "data of an unknown kind"),
    ],
)
def test_what_is_no_video_is_refused_whatever_its_name(tmp_path: Path, content: bytes, seems: str) -> None:
    (tmp_path / "named so.mp4").write_bytes(content)
    rejected = rejection(tmp_path / "named so.mp4")
    assert rejected.reason is RejectionReason.NOT_A_VIDEO
    assert f"no video but {seems}" in rejected.message


def test_a_picture_named_mp4_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (200, 30, 30)).save(tmp_path / "still.mp4", format="JPEG")
    assert "a JPEG picture" in rejection(tmp_path / "still.mp4").message


def test_a_playlist_named_mp4_does_not_make_us_read_what_it_points_to(tmp_path: Path) -> None:
    segment = encode_clip(tmp_path / "segment.mp4", seconds=0.5)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.5,\n{segment}\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.mp4").write_text(playlist)
    assert rejection(tmp_path / "list.mp4").reason is RejectionReason.NOT_A_VIDEO


def test_sound_without_pictures_is_refused(tmp_path: Path, sample: bytes) -> None:
    path = tmp_path / "song.mp4"
    remuxed(sample, kind="audio", path=path, options={})
    rejected = rejection(path)
    assert rejected.reason is RejectionReason.NO_VIDEO_STREAM
    assert "audio" in rejected.message


@pytest.mark.parametrize("name", ["nothing.mp4", "nothing.mov", "nothing.avi"])
def test_a_video_without_a_single_picture_is_refused(tmp_path: Path, name: str) -> None:
    assert rejection(encode_clip(tmp_path / name, seconds=0)).reason is RejectionReason.NO_FRAMES


def test_a_recording_whose_index_was_never_written_is_broken(tmp_path: Path, sample: bytes) -> None:
    index = sample.index(b"moov") - 4
    (tmp_path / "crashed.mp4").write_bytes(sample[:index])
    assert rejection(tmp_path / "crashed.mp4").reason is RejectionReason.BROKEN


def test_a_download_that_stopped_half_way_is_broken_though_it_would_play(tmp_path: Path, sample: bytes) -> None:
    whole = front_indexed(sample, path=tmp_path / "whole.mp4")
    assert whole.index(b"moov") < whole.index(b"mdat")
    assert probe(found(tmp_path / "whole.mp4")).frame_count == 12
    (tmp_path / "half.mp4").write_bytes(whole[:-1000])
    rejected = rejection(tmp_path / "half.mp4")
    assert rejected.reason is RejectionReason.BROKEN
    assert "1000 bytes are missing" in rejected.message


def test_pictures_that_cannot_be_decoded_are_broken(tmp_path: Path, sample: bytes) -> None:
    start = sample.index(b"mdat") + 4
    end = sample.index(b"moov") - 4
    (tmp_path / "noise.mp4").write_bytes(sample[:start] + b"\xff" * (end - start) + sample[end:])
    assert rejection(tmp_path / "noise.mp4").reason is RejectionReason.BROKEN


def test_a_picture_of_absurd_size_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode_clip(tmp_path / "huge.mp4", seconds=0.5)
    monkeypatch.setattr("visualsearch_pipeline.media.probing._MAX_PIXELS", 320 * 180 - 1)
    assert rejection(path).reason is RejectionReason.BROKEN


def test_a_file_that_may_not_be_read_is_refused_until_it_may(public_folder: Path, sample: bytes) -> None:
    path = public_folder / "locked.mp4"
    path.write_bytes(sample)
    path.chmod(0)
    with unprivileged():
        rejected = rejection(path)
    assert rejected.reason is RejectionReason.UNREADABLE
    assert rejected.reason.mended_in_place
    assert "Permission denied" in rejected.message
    path.chmod(0o644)
    assert probe(found(path)).frame_count == 12


def test_only_an_unreadable_file_can_be_mended_without_a_trace() -> None:
    assert [reason for reason in RejectionReason if reason.mended_in_place] == [RejectionReason.UNREADABLE]


def test_a_file_that_is_gone_is_no_rejection(tmp_path: Path, sample: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(sample)
    file = found(path)
    path.unlink()
    with pytest.raises(FileVanished):
        probe(file)


def test_a_remote_file_is_not_fetched_whole(tmp_path: Path) -> None:
    """What is read of a padded file is counted at the storage's own file object."""
    local = pad_mp4(encode_clip(tmp_path / "big.mp4", seconds=1), size_bytes=200 * 1024**2)
    read = 0

    class Counting(fsspec.get_filesystem_class("file")):  # type: ignore[misc] # fsspec ships no types
        protocol = "counting"

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return str(super()._strip_protocol(path.removeprefix("counting://")))

        def _open(self, path: str, mode: str = "rb", **options: object) -> object:
            file = super()._open(path, mode, **options)
            inner = file.read

            def count(size: int = -1) -> bytes:
                nonlocal read
                content: bytes = inner(size)
                read += len(content)
                return content

            file.read = count
            return file

    fsspec.register_implementation("counting", Counting, clobber=True)
    file = SourceFile(f"counting://{local}", "big.mp4", "big.mp4", local.stat().st_size)
    assert probe(file).frame_count == 12
    assert read < 2 * 1024**2


def test_ffmpeg_stays_silent_on_our_terminal(tmp_path: Path, sample: bytes) -> None:
    """In a process of its own, since FFmpeg writes past Python's own stderr."""
    start = sample.index(b"mdat") + 4
    end = sample.index(b"moov") - 4
    (tmp_path / "noise.mp4").write_bytes(sample[:start] + b"\xff" * (end - start) + sample[end:])
    encode_clip(tmp_path / "hevc.mp4", seconds=0.5, codec="hevc")
    program = (
        "import sys\n"
        "from visualsearch_pipeline.media import MediaRejected, discover, probe\n"
        "for file in discover(sys.argv[1], include=['**']).files:\n"
        "    try:\n"
        "        probe(file)\n"
        "    except MediaRejected as rejected:\n"
        "        print(rejected.reason)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "broken\n"
    assert done.stderr == ""


def probed_or_rejected(path: Path, content: bytes) -> MediaInfo | RejectionReason:
    path.write_bytes(content)
    try:
        return probe(found(path))
    except MediaRejected as rejected:
        return rejected.reason


ANY_FOLDER = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ANY_FOLDER
@given(
    content=st.binary(min_size=1, max_size=2000), head=st.sampled_from([b"", b"\0\0\0\x18ftypmp42", b"\x1aE\xdf\xa3"])
)
def test_random_bytes_are_refused(tmp_path: Path, content: bytes, head: bytes) -> None:
    assert isinstance(probed_or_rejected(tmp_path / "random.mp4", head + content), RejectionReason)


@ANY_FOLDER
@given(data=st.data())
def test_a_real_file_cut_anywhere_is_refused(tmp_path: Path, sample: bytes, data: st.DataObject) -> None:
    length = data.draw(st.integers(1, len(sample) - 1))
    assert isinstance(probed_or_rejected(tmp_path / "cut.mp4", sample[:length]), RejectionReason)


@ANY_FOLDER
@given(data=st.data())
def test_a_damaged_file_is_described_or_refused_and_never_crashes(
    tmp_path: Path, sample: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(sample)
    index = sample.index(b"moov")
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.one_of(st.integers(0, len(sample) - 1), st.integers(index, len(sample) - 1)))
        damaged[position] = data.draw(st.integers(0, 255))
    outcome = probed_or_rejected(tmp_path / "damaged.mp4", bytes(damaged))
    assert isinstance(outcome, MediaInfo | RejectionReason)
