"""`python -m visualsearch_pipeline.sandbox --port 0 --state DIR`: the sandbox as a process of its own."""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from visualsearch_pipeline.sandbox.config import (
    DEFAULT_ACCOUNT,
    DEFAULT_API_KEY,
    RATE_LIMIT_PRESETS,
    Dialect,
    SandboxConfig,
)
from visualsearch_pipeline.sandbox.server import SandboxStartError, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; 0 after a clean end, 1 if it could not start, 2 for wrong options."""
    options = _parser().parse_args(arguments)
    chosen = {name: value for name, value in vars(options).items() if value is not None}
    keys = chosen.pop("api_key", None)
    if keys:
        chosen["api_keys"] = dict(_key_and_account(key) for key in keys)
    try:
        config = SandboxConfig(**chosen)
    except ValidationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        serve(config)
    except SandboxStartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m visualsearch_pipeline.sandbox", description=__doc__)
    parser.add_argument("--state", dest="state_dir", type=Path, required=True, help="folder that keeps the state")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 0: a free one)")
    parser.add_argument("--dialect", choices=[dialect.value for dialect in Dialect], help="generation of the API")
    parser.add_argument("--indexing-seconds", type=float, help="time from upload to ready")
    parser.add_argument("--indexing-seconds-per-minute", type=float, help="more of it per minute of footage")
    parser.add_argument("--seed", type=int, help="seed of everything drawn at random")
    parser.add_argument("--rate-limits", choices=list(RATE_LIMIT_PRESETS), help="documented limits to enforce")
    parser.add_argument("--credits", dest="credits_usd", type=float, help="opening balance in US dollars")
    parser.add_argument("--frozen-at", type=datetime.fromisoformat, help="stand the clock still at this time")
    parser.add_argument("--admin", action="store_const", const=True, help="answer under /_sandbox")
    parser.add_argument(
        "--api-key",
        action="append",
        metavar="KEY[=ACCOUNT]",
        help=f"accepted key, may be repeated (default {DEFAULT_API_KEY})",
    )
    return parser


def _key_and_account(text: str) -> tuple[str, str]:
    key, _, account = text.partition("=")
    return key, account or DEFAULT_ACCOUNT


if __name__ == "__main__":
    sys.exit(main())
