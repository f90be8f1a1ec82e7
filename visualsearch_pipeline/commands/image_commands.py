"""`visualsearch images`: private images whose upload lost its answer, and what a person decides about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from visualsearch_pipeline.commands.console import out
from visualsearch_pipeline.commands.exit_codes import PLAIN_EXIT_CODES
from visualsearch_pipeline.commands.options import ConfigOption

if TYPE_CHECKING:
    from visualsearch_pipeline.api import OnCall, VisualSearchClient
    from visualsearch_pipeline.pipeline.pipeline import Pipeline
    from visualsearch_pipeline.settings import Settings

app = typer.Typer()
_images = typer.Typer(help="Private images whose upload is undecided: see them, and decide.", no_args_is_help=True)
app.add_typer(_images, name="images")


@_images.command("list", epilog=f"Example: `visualsearch images list`\n\n{PLAIN_EXIT_CODES}")
def list_images(*, config: ConfigOption = None) -> None:
    """List the images whose upload lost its answer and that nothing but a person can decide, with the reason."""
    from rich.table import Table
    from rich.text import Text

    from visualsearch_pipeline.pipeline.image_uploads import SHORT_HASH
    from visualsearch_pipeline.settings import load_settings
    from visualsearch_pipeline.terminal import printable

    with _opened(load_settings(config)) as pipeline:
        undecided = pipeline.ledger.images.undecided()
        reasons = {failure.subject: failure.reason for failure in pipeline.ledger.failures.unresolved(step="images")}
    if not undecided:
        out.print("no image is undecided")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("image", style="bold", overflow="fold")
    for heading in ("day", "sha256"):
        table.add_column(heading, no_wrap=True)
    table.add_column("why", overflow="fold")
    for image in undecided:
        row = (printable(image.name), str(image.day), image.sha256[:SHORT_HASH], reasons.get(image.uri, ""))
        table.add_row(*(Text(cell) for cell in row))
    out.print(table)


@_images.command(epilog=f"Example: `visualsearch images resolve 9f2c1ab04e77 --again`\n\n{PLAIN_EXIT_CODES}")
def resolve(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="Its file, or the beginning of its SHA-256.")],
    *,
    image_id: Annotated[str | None, typer.Option("--image-id", help="It is this one in the library.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Send it again, though it may then be there twice.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Leave it: it is neither sent nor searched.")] = False,
    config: ConfigOption = None,
) -> None:
    """Decide about an image whose upload lost its answer. Makes no call."""
    from visualsearch_pipeline.pipeline.image_decisions import adopt_image, decide_image
    from visualsearch_pipeline.settings import load_settings
    from visualsearch_pipeline.terminal import printable

    if [bool(image_id and image_id.strip()), again, drop].count(True) != 1:
        raise typer.BadParameter("give exactly one of --image-id ID, --again and --drop")
    with _opened(load_settings(config)) as pipeline:
        if image_id is not None:
            decided = adopt_image(pipeline, image, image_id=image_id)
            said = f"it is the image {image_id.strip()} of the library; the next run searches it"
        else:
            decided = decide_image(pipeline, image, "again" if again else "drop")
            said = "the next run sends it again" if again else "left"
    out.print(f"{printable(decided.name)}: {said}", markup=False)


def _opened(settings: Settings) -> Pipeline:
    from visualsearch_pipeline.pipeline.pipeline import Pipeline

    return Pipeline(settings, open_client=_no_client, run_id="images")


def _no_client(_: OnCall) -> VisualSearchClient:
    raise AssertionError("what is decided about images is between a person and the ledger")
