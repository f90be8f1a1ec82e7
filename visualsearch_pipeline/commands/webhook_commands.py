"""`visualsearch webhooks`: the receiver of what the service calls back."""

from __future__ import annotations

from typing import Annotated

import typer

from visualsearch_pipeline.commands.console import err
from visualsearch_pipeline.commands.exit_codes import PLAIN_EXIT_CODES
from visualsearch_pipeline.commands.options import ConfigOption

app = typer.Typer()


@app.command(epilog=f"Example: `visualsearch webhooks --port 8378`\n\n{PLAIN_EXIT_CODES}")
def webhooks(
    *,
    config: ConfigOption = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8378,
) -> None:
    """Take what the service calls back, as hints for the next poll, until Ctrl-C.

    Put it behind your web server's TLS. The last part of the path is $VISUALSEARCH_WEBHOOK_SECRET, and is never shown.
    """
    from visualsearch_pipeline.settings import load_settings, read_webhook_secret
    from visualsearch_pipeline.webhooks.serving import serve

    serve(load_settings(config), secret=read_webhook_secret(), host=host, port=port, told=err.print)
