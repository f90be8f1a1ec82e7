"""What several commands take, and what is checked before any of them begins."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Settings file; default: $VISUALSEARCH_CONFIG, else ./visualsearch.yaml.",
        show_default=False,
    ),
]


def check_api_key(key: str) -> None:
    """Refuse a key that cannot be right before anything begins."""
    from visualsearch_pipeline.api import InvalidInput
    from visualsearch_pipeline.api.api_key import ApiKey
    from visualsearch_pipeline.settings import API_KEY_VARIABLE, SettingsError

    try:
        ApiKey(key)
    except InvalidInput as error:
        raise SettingsError(f"{API_KEY_VARIABLE}: {error}") from None  # whose own frames know the key
