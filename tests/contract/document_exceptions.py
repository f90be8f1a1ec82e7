"""Where the sandbox knowingly differs from the service's OpenAPI document, each with its reason; nothing else may."""

from __future__ import annotations

import copy
from typing import Any, Final

Json = dict[str, Any]

OUTSIDE_THE_PRODUCT: Final = {
    "/serve/api/v1/chat": "talks about videos; the product is search",
    "/serve/api/v1/marketer_chat": "talks about videos; the product is search",
    "/serve/api/v1/chat_personal_stream": "talks about videos; the product is search",
    "/serve/api/v1/memories": "another product: notes about people",
    "/serve/api/v1/memories/add": "another product: notes about people",
    "/serve/api/v1/memories/search": "another product: notes about people",
    "/v1/understand/upload": "another product, on another host: questions about one video",
    "/v1/understand/uploadImg": "another product, on another host: questions about one image",
}
"""Paths of the document that the sandbox does not have."""

MISSING_FROM_THE_DOCUMENT: Final = {
    "search_similar_images": "v1.2, VS and CLI have it (contract §2.9)",
    "download_blob": "the document names its path in descriptions only (contract §2.17)",
    "scraper_public": "v1.2, P, VS and CLI have it (contract §2.4)",
    "scraper_tag_public": "v1.2, P, VS and CLI have it (contract §2.4)",
    "scraper_url_public": "v1.2, P, VS and CLI have it (contract §2.4)",
    "search_public_audio_transcripts": "VS and CLI have it (contract §2.14)",
    "get_public_video_detail": "v1.2 and VS have it (contract §2.7)",
    "get_public_audio_transcription": "v1.2 and VS have it (contract §2.15)",
    "get_public_video_transcription": "v1.2 and VS have it (contract §2.15)",
}
"""Operations that the sandbox has in this dialect although the document does not list them."""

REFUSAL: Final[Json] = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "not": {"const": "0000"}},
        "msg": {"type": "string", "minLength": 1},
        "data": {"type": "null"},
        "success": {"const": False},
        "failed": {"const": True},
    },
    "required": ["code", "msg", "data", "success", "failed"],
    "additionalProperties": False,
}
"""What an application error looks like. The document's schemas describe successes only, and would have `data` be an
object or an array even then; live errors carry null (contract §1.3)."""


def with_exceptions(document: Json) -> Json:
    """The document as the sandbox keeps it: stricter about what it says, and with the exceptions written in."""
    changed = copy.deepcopy(document)
    for path in OUTSIDE_THE_PRODUCT:
        changed["paths"].pop(path)
    schemas: Json = changed["components"]["schemas"]
    # Every array without a hit fits two of the three shapes at once, which `oneOf` forbids (contract §2.8).
    data = schemas["SearchPrivateResponse"]["properties"]["data"]
    data["anyOf"] = data.pop("oneOf")
    # Null for a video that is not there is a success (contract §2.7); `nullable` was dropped from OpenAPI with 3.1.
    metadata = schemas["GetMetadataResponse"]["properties"]
    metadata["data"] = {"anyOf": [metadata["data"], {"type": "null"}]}
    for name in [name for name in schemas if name.endswith("Response")]:
        _close(schemas[name])
        schemas[f"{name}Success"] = {**schemas[name], "required": ["code", "msg", "data"]}
        schemas[name] = {"anyOf": [{"$ref": f"#/components/schemas/{name}Success"}, REFUSAL]}
    return changed


def _close(schema: object) -> None:
    """Forbid properties that an object's schema does not name, so that what is sent is what is documented."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            _close(value)
    elif isinstance(schema, list):
        for value in schema:
            _close(value)
