"""What a delivery is about, in any of the shapes that the service sends (contract §4)."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Final

from visualsearch_pipeline.ledger import Notice

_LONGEST_NAME: Final = 128
"""An id or a status longer than this is not one."""

_VIDEO_KEYS: Final = ("videoNo", "video_no", "videoId")
_TASK_KEYS: Final = ("taskId", "task_id")


class DeliveryRefused(ValueError):  # noqa: N818  says what happened
    """What was delivered is not a JSON object."""


def read_delivery(body: bytes, *, at: datetime) -> Notice:
    """Make a notice of a delivery's body. A JSON object of a shape that nobody described is kept as `unknown`.

    A notice about one video of an import is about the video.

    Args:
        body: the body, within the receiver's size limit.
        at: when it was received, aware.

    Raises:
        DeliveryRefused: it is not a JSON object.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DeliveryRefused("not JSON") from error
    if not isinstance(said, dict):
        raise DeliveryRefused("not a JSON object")
    # Spaces and the order of keys say nothing, so the same notice has one digest however it is written.
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    video_no, task_id = _text(said, *_VIDEO_KEYS), _text(said, *_TASK_KEYS)
    return Notice(
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
        kind="video" if video_no else "task" if task_id else "unknown",
        subject=video_no or task_id,
        claimed_status=_text(said, "status"),
        body=canonical,
        received_at=at,
        last_received_at=at,
    )


def _text(said: dict[str, object], *keys: str) -> str | None:
    """The first of the keys that holds an id or a word. A number is an id too: one dialect sends them so."""
    for key in keys:
        value = said.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable():
            return value
    return None
