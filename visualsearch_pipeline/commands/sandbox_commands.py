"""`visualsearch sandbox | demo | dev`: everything that runs without the service."""

from pathlib import Path
from typing import Annotated, Final

import typer

from visualsearch_pipeline.commands.console import err, out
from visualsearch_pipeline.commands.exit_codes import EXIT_CODES, PLAIN_EXIT_CODES, exit_code

DEMO_FOLDER: Final = Path("visualsearch-demo")

app = typer.Typer()


@app.command(epilog=f"Example: `visualsearch sandbox --port 8750 --state ./sandbox`\n\n{PLAIN_EXIT_CODES}")
def sandbox(
    *,
    state: Annotated[Path, typer.Option("--state", help="Folder that keeps the library; made if missing.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    dialect: Annotated[
        str, typer.Option("--dialect", help="Generation of the API: live-2025, spring-2026 or openapi.")
    ] = "spring-2026",
    indexing_seconds: Annotated[float, typer.Option("--indexing-seconds", min=0, help="From upload to ready.")] = 2.0,
    admin: Annotated[bool, typer.Option("--admin", help="Answer under /_sandbox: clock, faults, journal.")] = False,
) -> None:
    """Run the local server that speaks the API, until Ctrl-C."""
    from visualsearch_pipeline.sandbox import Dialect, SandboxConfig, serve

    try:
        spoken = Dialect(dialect)
    except ValueError:
        raise typer.BadParameter(f"{dialect!r} is none of {', '.join(Dialect)}", param_hint="--dialect") from None
    serve(SandboxConfig(state_dir=state, port=port, dialect=spoken, indexing_seconds=indexing_seconds, admin=admin))


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
