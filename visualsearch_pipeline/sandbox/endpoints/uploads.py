"""upload, upload_url, upload_img (contract §2.1-2.3)."""

import io
import json
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx
from PIL import Image, UnidentifiedImageError
from sqlalchemy import insert

from visualsearch_pipeline.sandbox.arguments import ReceivedFile
from visualsearch_pipeline.sandbox.calls import Call, Reply
from visualsearch_pipeline.sandbox.errors import ApiError
from visualsearch_pipeline.sandbox.indexing.captions import describe_picture
from visualsearch_pipeline.sandbox.indexing.pictures import Picture
from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.entries import DEFAULT_FOLDER_ID, DEFAULT_UNIQUE_ID, CaptureDetails
from visualsearch_pipeline.sandbox.state.library import NewVideo, stem

VIDEO_EXTENSIONS = frozenset({".mp4", ".avi", ".mkv", ".mov"})
IMAGE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp"})
MAX_VIDEO_TAGS = 20
MAX_IMAGE_TAGS = 50
IMAGE_BUCKET = "mavi-image"
_FETCH_TIMEOUT_SECONDS = 60.0
_MAX_IMAGE_PIXELS = 100_000_000


def upload(call: Call) -> Reply:
    """Accept a video file."""
    received = call.arguments.file()
    check_video(received, max_bytes=call.services.config.max_video_bytes)
    return _accept(call, received.path, received.file_name, received.size_bytes)


def upload_url(call: Call) -> Reply:
    """Fetch a video while the request waits, and accept it (contract §9.21)."""
    url = call.arguments.required_text("url")
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that enclose no address
        raise ApiError("The url is not valid") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ApiError("The url is not valid")
    file_name = PurePosixPath(unquote(parts.path)).name or "video.mp4"
    if PurePosixPath(file_name).suffix.lower() not in VIDEO_EXTENSIONS | {".m3u8"}:
        raise ApiError(f"Unsupported video format: {file_name}")
    path = call.services.files.new_incoming()
    try:
        size_bytes = _fetch(url, path, max_bytes=call.services.config.max_url_video_bytes)
        return _accept(call, path, file_name, size_bytes, source_url=url)
    finally:
        path.unlink(missing_ok=True)


def upload_img(call: Call) -> Reply:
    """Accept images: all of them, or none if one is bad (contract §9.22)."""
    services, arguments = call.services, call.arguments
    received = [part for part in arguments.files if part.field == "files"]
    if not received:
        raise ApiError("Required part 'files' is not present.")
    if len(received) > services.config.max_images_per_upload:
        raise ApiError(f"The number of files cannot exceed {services.config.max_images_per_upload}")
    details = arguments.capture_details(max_tags=MAX_IMAGE_TAGS)
    scope = call.write_scope()
    pictures = [read_picture(part, max_bytes=services.config.max_image_bytes) for part in received]
    ids: list[int] = []
    with services.database.write() as connection:
        for part, picture in zip(received, pictures, strict=True):
            image_id = services.library.next_id(connection, now_ms=services.clock.now_ms())
            blob = f"{image_id}{part.extension}"
            connection.execute(
                insert(tables.images).values(
                    image_id=image_id,
                    account=call.account,
                    unique_id=scope.unique_id or DEFAULT_UNIQUE_ID,
                    folder_id=DEFAULT_FOLDER_ID if scope.folder_id is None else scope.folder_id,
                    name=stem(part.file_name),
                    created_ms=services.clock.now_ms(),
                    size_bytes=part.size_bytes,
                    bucket=IMAGE_BUCKET,
                    blob=blob,
                    words=describe_picture(picture),
                    **_columns(details),
                )
            )
            services.files.keep(part.path, IMAGE_BUCKET, blob)
            ids.append(image_id)
    data = [{"id": services.wire.image_id(image_id)} for image_id in ids]
    return Reply(data=data, item_ids=tuple(str(image_id) for image_id in ids))


def check_video(received: ReceivedFile, *, max_bytes: int) -> None:
    """Refuse what the service refuses before it looks inside (contract §3)."""
    if received.size_bytes == 0:
        raise ApiError("The file cannot be empty")
    if received.extension not in VIDEO_EXTENSIONS:
        raise ApiError(f"Unsupported video format, allowed: {', '.join(sorted(VIDEO_EXTENSIONS))}")
    if not received.content_type.lower().startswith("video/"):
        raise ApiError(f"The content type of the file must start with video/, got {received.content_type or 'none'}")
    if received.size_bytes > max_bytes:
        raise ApiError(f"The file is larger than {max_bytes} bytes")


def read_picture(received: ReceivedFile, *, max_bytes: int) -> Picture:
    """Check and read an image part.

    Raises:
        ApiError: Wrong extension or type, empty, too large, or not an image.
    """
    if received.size_bytes == 0:
        raise ApiError("The file cannot be empty")
    if received.extension not in IMAGE_EXTENSIONS:
        raise ApiError(f"Unsupported image format, allowed: {', '.join(sorted(IMAGE_EXTENSIONS))}")
    if not received.content_type.lower().startswith("image/"):
        raise ApiError(f"The content type of the file must start with image/, got {received.content_type or 'none'}")
    if received.size_bytes > max_bytes:
        raise ApiError(f"The image is larger than {max_bytes} bytes")
    try:
        with Image.open(io.BytesIO(received.path.read_bytes())) as image:
            if image.width * image.height > _MAX_IMAGE_PIXELS:
                raise ApiError(f"The image has too many pixels: {image.width} x {image.height}")
            return Picture.from_image(image)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise ApiError(f"The image cannot be read: {received.file_name}") from error


def _accept(call: Call, path: Path, file_name: str, size_bytes: int, *, source_url: str | None = None) -> Reply:
    services, arguments = call.services, call.arguments
    video = NewVideo(
        scope=call.write_scope(),
        file_name=file_name,
        video_name=stem(file_name),
        size_bytes=size_bytes,
        details=arguments.capture_details(max_tags=MAX_VIDEO_TAGS),
        callback=arguments.callback("callback"),
        transcription_prompt=arguments.text("video_transcription_prompt"),
        retains_original=arguments.boolean("retain_original_video", default=True),
        source_url=source_url,
    )
    entry = services.uploading.store(video, path)
    return Reply(data=services.wire.uploaded(entry), item_ids=(entry.video_no,))


def _fetch(url: str, path: Path, *, max_bytes: int) -> int:
    size_bytes = 0
    try:
        with (
            httpx.Client(timeout=_FETCH_TIMEOUT_SECONDS, follow_redirects=True, trust_env=False) as client,
            client.stream("GET", url) as answer,
            path.open("wb") as file,
        ):
            if answer.status_code != httpx.codes.OK:
                raise ApiError(f"The url cannot be downloaded: HTTP {answer.status_code}")
            for chunk in answer.iter_bytes():
                size_bytes += len(chunk)
                if size_bytes > max_bytes:
                    raise ApiError(f"The file behind the url is larger than {max_bytes} bytes")
                file.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ApiError(f"The url cannot be downloaded: {type(error).__name__}") from error
    if size_bytes == 0:
        raise ApiError("The file behind the url is empty")
    return size_bytes


def _columns(details: CaptureDetails) -> dict[str, object]:
    return {
        "datetime_taken_ms": details.datetime_taken_ms,
        "camera_model": details.camera_model,
        "latitude": details.latitude,
        "longitude": details.longitude,
        "tags": json.dumps(details.tags, ensure_ascii=False),
    }
