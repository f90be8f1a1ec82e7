"""download by video number, and by bucket and blob (contract §2.17)."""

import mimetypes

from visualsearch_pipeline.sandbox.calls import Call, FileBody, Reply
from visualsearch_pipeline.sandbox.credits import DOWNLOAD_USD_PER_BYTE
from visualsearch_pipeline.sandbox.errors import ApiError
from visualsearch_pipeline.sandbox.searching.images import image_by_blob
from visualsearch_pipeline.sandbox.state.entries import PUBLIC_LIBRARY

_NOT_THERE = "Resource does not exist"
_NO_MONEY = "Insufficient balance to download the resource. Please recharge and try again."
_BINARY = "application/octet-stream"


def download(call: Call) -> Reply:
    """The file of a video, as it was uploaded."""
    video_no = call.arguments.required_text("video_no", message="The video number cannot be empty!")
    video = call.services.library.get(call.item_scope(), video_no)
    if video is None:
        raise ApiError("download video error")
    return _stream(call, video.bucket, video.blob, media_type=_BINARY, item_id=video_no, missing="download video error")


def download_blob(call: Call) -> Reply:
    """Any stored file of the account or of the public library."""
    bucket = call.arguments.required_text("bucket", message="Bucket cannot be null or empty")
    blob = call.arguments.required_text("blob", message="Blob cannot be null or empty")
    services = call.services
    video = services.library.by_blob(bucket, blob)
    if video is not None:
        owner, item_id = video.library, video.video_no
    else:
        image = image_by_blob(services.database, bucket, blob)
        if image is None:
            raise ApiError(_NOT_THERE)
        owner, item_id = image.account, str(image.image_id)
    if owner not in {call.account, PUBLIC_LIBRARY}:
        raise ApiError(_NOT_THERE)
    media_type = mimetypes.guess_type(blob)[0] or _BINARY
    is_image = media_type.startswith("image/")
    return _stream(call, bucket, blob, media_type=media_type if is_image else _BINARY, item_id=item_id)


def _stream(call: Call, bucket: str, blob: str, *, media_type: str, item_id: str, missing: str = _NOT_THERE) -> Reply:
    path = call.services.files.path(bucket, blob)
    if path is None or not path.is_file():
        raise ApiError(missing)
    size_bytes = path.stat().st_size
    # The balance is taken before the first byte is written (contract §2.17, §9.55).
    call.services.credits.charge_before(
        call.account,
        operation=call.operation,
        amount_usd=size_bytes * DOWNLOAD_USD_PER_BYTE,
        item_id=item_id,
        message=_NO_MONEY,
    )
    body = FileBody(path=path, file_name=path.name, media_type=media_type, size_bytes=size_bytes)
    return Reply(file=body, item_ids=(item_id,))
