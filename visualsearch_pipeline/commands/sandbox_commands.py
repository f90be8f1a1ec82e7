"""`visualsearch sandbox | demo | dev`: everything that runs without the service."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from visualsearch_pipeline.commands.console import err, out
from visualsearch_pipeline.commands.exit_codes import EXIT_CODES, PLAIN_EXIT_CODES, exit_code

DEMO_FOLDER: Final = Path("visualsearch-demo")

app = typer.Typer()


_SANDBOX_EXAMPLES: Final = """\
Example: `visualsearch sandbox --port 8750 --state ./sandbox`

Example: `visualsearch sandbox --state ./sandbox --rate-limits p-2026 --credits 0.50`

Example: `visualsearch sandbox --state ./sandbox --frozen-at 2026-01-31T08:00:00+00:00 --api-key sk-mavi-me=us`
"""


@app.command(epilog=f"{_SANDBOX_EXAMPLES}\n\n{PLAIN_EXIT_CODES}")
def sandbox(
    *,
    state: Annotated[Path, typer.Option("--state", help="Folder that keeps the library; made if missing.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    dialect: Annotated[
        str, typer.Option("--dialect", help="Generation of the API: live-2025, spring-2026 or openapi.")
    ] = "spring-2026",
    indexing_seconds: Annotated[float, typer.Option("--indexing-seconds", min=0, help="From upload to ready.")] = 2.0,
    rate_limits: Annotated[
        str, typer.Option("--rate-limits", help="Documented limits to enforce: none, v1.2 or p-2026.")
    ] = "none",
    credits_usd: Annotated[
        float | None, typer.Option("--credits", min=0, help="Opening balance in US dollars; default: never runs out.")
    ] = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option("--api-key", metavar="KEY[=ACCOUNT]", help="Accepted key, may be repeated; not the real one."),
    ] = None,
    frozen_at: Annotated[
        str | None, typer.Option("--frozen-at", help="Let the clock stand still at this time, with its zone.")
    ] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Answer under /_sandbox: clock, faults, journal.")] = False,
) -> None:
    """Run the local server that speaks the API, until Ctrl-C."""
    from visualsearch_pipeline.sandbox import Dialect, SandboxConfig, serve
    from visualsearch_pipeline.sandbox.config import DEFAULT_ACCOUNT, DEFAULT_API_KEY, RATE_LIMIT_PRESETS

    if rate_limits not in RATE_LIMIT_PRESETS:
        known = ", ".join(RATE_LIMIT_PRESETS)
        raise typer.BadParameter(f"{rate_limits!r} is none of {known}", param_hint="--rate-limits")
    keys = dict(_key_and_account(key, default_account=DEFAULT_ACCOUNT) for key in api_key or [DEFAULT_API_KEY])
    try:
        spoken = Dialect(dialect)
    except ValueError:
        raise typer.BadParameter(f"{dialect!r} is none of {', '.join(Dialect)}", param_hint="--dialect") from None
    serve(
        SandboxConfig(
            state_dir=state,
            port=port,
            dialect=spoken,
            indexing_seconds=indexing_seconds,
            rate_limits=RATE_LIMIT_PRESETS[rate_limits],
            credits_usd=credits_usd,
            api_keys=keys,
            frozen_at=_aware_time(frozen_at),
            admin=admin,
        )
    )


def _key_and_account(text: str, *, default_account: str) -> tuple[str, str]:
    key, _, account = text.partition("=")
    if not key:
        raise typer.BadParameter(f"{text!r} has no key; write KEY or KEY=ACCOUNT", param_hint="--api-key")
    return key, account or default_account


def _aware_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    example = "write one such as 2026-01-31T08:00:00+00:00"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; {example}", param_hint="--frozen-at") from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no time zone; {example}", param_hint="--frozen-at")
    return moment


@app.command(epilog=f"Example: `visualsearch demo --media ~/Movies`\n\n{EXIT_CODES}")
def demo(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            help="Where the demo lives; delete it to begin anew. "
            "Default: ./visualsearch-demo, with --media ./visualsearch-demo-NAME.",
            show_default=False,
        ),
    ] = None,
    media: Annotated[
        Path | None, typer.Option("--media", help="Your own footage instead of generated clips; it is only read.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Stop waiting after this many seconds.")] = 600,
) -> None:
    """Make sample clips, start the sandbox, and run everything to the end."""
    from visualsearch_pipeline.demo.running import run_demo

    if folder is None:
        folder = DEMO_FOLDER if media is None else Path(f"{DEMO_FOLDER}-{media.absolute().name}")
    status = run_demo(folder, media=media, out=out, err=err, timeout_seconds=timeout)
    raise typer.Exit(exit_code(status))


@app.command(epilog=f"Example: `visualsearch dev --port 3000`\n\n{PLAIN_EXIT_CODES}")
def dev(
    *,
    folder: Annotated[Path, typer.Option("--folder", help="Where the demo lives.")] = DEMO_FOLDER,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the Dagster UI.")] = 3000,
) -> None:
    """Start the sandbox and the Dagster UI together on the demo's data, until Ctrl-C."""
    from visualsearch_pipeline.demo.running import run_dev

    raise typer.Exit(run_dev(folder, ui_port=port, err=err))
