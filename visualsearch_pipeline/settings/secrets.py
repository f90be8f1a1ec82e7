"""What comes from the environment alone, so that nothing that prints or stores settings can leak it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from visualsearch_pipeline.settings.errors import SettingsError
from visualsearch_pipeline.settings.model import Settings

API_KEY_VARIABLE: Final = "VISUALSEARCH_API_KEY"
WEBHOOK_SECRET_VARIABLE: Final = "VISUALSEARCH_WEBHOOK_SECRET"  # noqa: S105  the name of a variable

_WEBHOOK_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{24,128}")
_LONGEST_CALLBACK_CHARACTERS: Final = 299


def read_api_key(*, environ: Mapping[str, str] | None = None) -> str:
    """The API key from `VISUALSEARCH_API_KEY`.

    Raises:
        SettingsError: it is not set.
    """
    environ = os.environ if environ is None else environ
    key = environ.get(API_KEY_VARIABLE, "")
    if not key.strip():
        raise SettingsError(
            f"{API_KEY_VARIABLE} is not set: the service refuses calls without a key. "
            f"Create one in the service's console and `export {API_KEY_VARIABLE}=sk-...` (it never belongs in a file)."
        )
    return key


def read_webhook_secret(*, environ: Mapping[str, str] | None = None) -> str:
    """The secret part of the webhook receiver's path, from `VISUALSEARCH_WEBHOOK_SECRET`.

    Raises:
        SettingsError: it is not set, or could be guessed or not be written in an address.
    """
    environ = os.environ if environ is None else environ
    secret = environ.get(WEBHOOK_SECRET_VARIABLE, "")
    if not _WEBHOOK_SECRET.fullmatch(secret):
        raise SettingsError(
            f"{WEBHOOK_SECRET_VARIABLE} must have 24 to 128 letters, digits, `-` and `_`: the service signs nothing, "
            "so this part of the receiver's address is all that keeps strangers out. Make one with "
            "`openssl rand -hex 24` and set it where the pipeline runs and where `visualsearch webhooks` does."
        )
    return secret


def read_callback_url(settings: Settings, *, environ: Mapping[str, str] | None = None) -> str | None:
    """The address that the service is asked to call back; None if `webhooks.public_url` is not set.

    Raises:
        SettingsError: the secret is missing, or the address is longer than the service takes (contract §3).
    """
    if settings.webhooks.public_url is None:
        return None
    address = f"{settings.webhooks.public_url}/callbacks/{read_webhook_secret(environ=environ)}"
    if len(address) > _LONGEST_CALLBACK_CHARACTERS:
        raise SettingsError(
            f"webhooks.public_url: with its secret the address has {len(address)} characters, and the service takes "
            f"{_LONGEST_CALLBACK_CHARACTERS}; use a shorter one"
        )
    return address
