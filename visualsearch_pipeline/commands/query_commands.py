"""`visualsearch queries …`: saved queries, checked, shown and tried."""

from enum import StrEnum
from typing import Annotated

import typer

from visualsearch_pipeline.commands.console import err, out
from visualsearch_pipeline.commands.exit_codes import ALL_DONE, PLAIN_EXIT_CODES, USAGE
from visualsearch_pipeline.commands.options import ConfigOption


class _Medium(StrEnum):
    """What a text can be looked for in, as an option's choices."""

    CLIPS = "clips"
    AUDIO = "audio"
    CAPTIONS = "captions"
    IMAGES = "images"


class _Public(StrEnum):
    """Whose public videos a text can be looked for in, as an option's choices."""

    TIKTOK = "tiktok"
    YOUTUBE = "youtube"
    INSTAGRAM = "instagram"


app = typer.Typer(
    name="queries", help="Check, show and try saved queries.", no_args_is_help=True, epilog=PLAIN_EXIT_CODES
)


@app.command("check", epilog=f"Example: `visualsearch queries check`\n\n{PLAIN_EXIT_CODES}")
def queries_check(*, config: ConfigOption = None) -> None:
    """Name every mistake in the query files, with file and line. Makes no call."""
    from visualsearch_pipeline.commands.queries import check
    from visualsearch_pipeline.settings import load_settings

    raise typer.Exit(ALL_DONE if check(load_settings(config), console=out) else USAGE)


@app.command("show", epilog=f"Example: `visualsearch queries show street.red_truck`\n\n{PLAIN_EXIT_CODES}")
def queries_show(
    name: Annotated[str, typer.Argument(help="A query set, or one query of it: street, street.red_truck.")],
    *,
    config: ConfigOption = None,
) -> None:
    """Show what a query set asks, of how many videos it was answered, and what it found. Makes no call."""
    from visualsearch_pipeline.commands.queries import show
    from visualsearch_pipeline.settings import load_settings

    show(load_settings(config), name, console=out)


@app.command("try", epilog=f'Example: `visualsearch queries try "a red truck at night"`\n\n{PLAIN_EXIT_CODES}')
def queries_try(
    question: Annotated[str, typer.Argument(help="A text, or a saved query's name: street.red_truck.")],
    *,
    config: ConfigOption = None,
    medium: Annotated[_Medium, typer.Option("--in", help="Where to look for a text.")] = _Medium.CLIPS,
    public: Annotated[
        _Public | None, typer.Option(help="Look in the public library instead.", show_default=False)
    ] = None,
    video_no: Annotated[
        str | None, typer.Option("--video", help="For an image within a video: its video_no.", show_default=False)
    ] = None,
) -> None:
    """Ask once, now, without storing anything. Costs one search."""
    from visualsearch_pipeline.commands.queries import try_once
    from visualsearch_pipeline.settings import load_settings

    try_once(
        load_settings(config),
        question,
        medium=medium.value,
        public=public.value if public is not None else None,
        video_no=video_no,
        console=out,
        progress_console=err,
    )
