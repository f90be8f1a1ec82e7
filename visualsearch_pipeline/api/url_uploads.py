"""Videos that the service fetches itself from a URL (contract §2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from visualsearch_pipeline.api import limits
from visualsearch_pipeline.api.errors import InvalidInput, UploadOutcomeUnknown, VisualSearchError
from visualsearch_pipeline.api.models import UploadedVideo
from visualsearch_pipeline.api.operations import UPLOAD_URL
from visualsearch_pipeline.api.outcomes import leaves_outcome_unknown
from visualsearch_pipeline.api.parsing import parse_item
from visualsearch_pipeline.api.scopes import Scope
from visualsearch_pipeline.api.transport import Call, Transport
from visualsearch_pipeline.api.upload_validation import validate_callback, validate_capture, validate_tags
from visualsearch_pipeline.api.uploads import upload_form


class UrlUploadCalls:
    """The part of the client that has videos fetched."""

    _transport: Transport
    _scope: Scope

    def upload_url(
        self,
        url: str,
        *,
        tags: Sequence[str] = (),
        captured_at: datetime | None = None,
        camera_model: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
        callback: str | None = None,
        retain_original_video: bool | None = None,
        transcription_prompt: str | None = None,
    ) -> UploadedVideo:
        """Have the service fetch a video: mp4, or m3u8 whose inner paths are absolute; at most 1 GB.

        The service fetches while it answers, so that a signed link must live that long. As with `upload`, the call is
        made again only if the service surely did not act.

        Args:
            url: Where the file lies; readable by anyone who has the URL.
            tags: At most 20.
            captured_at: When it was filmed; aware.
            camera_model: What filmed it; at most 200 characters.
            latitude: Where, in degrees; together with `longitude`.
            longitude: Where, in degrees.
            callback: URL for the service's notices; at most 299 characters.
            retain_original_video: Whether the service keeps the original; None leaves it to the service.
            transcription_prompt: A hint to the service's transcription.

        Raises:
            InvalidInput: The service would refuse it; nothing was sent.
            ApiError: The service refused.
            ConnectionFailed: No connection.
            UploadOutcomeUnknown: It may have been accepted: look in the library before asking again.
        """
        _check_url(url)
        validate_tags(tags, at_most=limits.MAX_VIDEO_TAGS)
        validate_callback(callback)
        validate_capture(camera_model=camera_model, latitude=latitude, longitude=longitude)
        form = upload_form(
            self._scope,
            tags=tags,
            captured_at=captured_at,
            camera_model=camera_model,
            latitude=latitude,
            longitude=longitude,
            callback=callback,
            retain_original_video=retain_original_video,
            transcription_prompt=transcription_prompt,
        )
        # What follows the path may be a signature: it is for the service, not for messages and reports.
        shown = url.partition("?")[0].partition("#")[0]
        call = Call(
            UPLOAD_URL,
            item=shown,
            form={"url": url, **form},
            read_timeout_seconds=self._transport.timeouts.upload_answer_seconds(limits.MAX_URL_UPLOAD_BYTES),
        )
        try:
            data = self._transport.request(call)
            return parse_item(UploadedVideo, data, operation=UPLOAD_URL.name, item=shown)
        except VisualSearchError as error:
            if not leaves_outcome_unknown(error):
                raise
            message = f"{error} Whether the service fetched it is not known: look in the library before asking again."
            raise UploadOutcomeUnknown(message, operation=UPLOAD_URL.name, upload_name=shown) from error


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidInput(f"The URL cannot be read: {error}.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(f"The service fetches web addresses only, not {url.partition('?')[0]!r}.")
