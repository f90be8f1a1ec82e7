"""`visualsearch sql | export | report`: what was found, for those who ask, take away or look."""

import itertools
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from visualsearch_pipeline.commands.console import err, out
from visualsearch_pipeline.commands.exit_codes import PLAIN_EXIT_CODES
from visualsearch_pipeline.commands.options import ConfigOption

MOST_ROWS_ON_SCREEN: Final = 1_000
"""More than anybody reads; what is piped into another program or a file is whole."""

app = typer.Typer()


@app.command(epilog=f'Example: `visualsearch sql "from hits where score > 0.8 limit 10"`\n\n{PLAIN_EXIT_CODES}')
def sql(
    statement: Annotated[str, typer.Argument(help="The question, in DuckDB's SQL.")],
    *,
    config: ConfigOption = None,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values instead of a table.")] = False,
) -> None:
    """Ask the published tables. They are opened read-only."""
    from visualsearch_pipeline.commands.csv_output import write_csv
    from visualsearch_pipeline.settings import load_settings
    from visualsearch_pipeline.terminal import print_line, print_rows
    from visualsearch_pipeline.warehouse import stream

    with stream(load_settings(config).database_path, statement) as answer:
        if csv:
            write_csv(sys.stdout, answer.columns, answer.rows)
            return
        rows = answer.rows
        print_rows(out, answer.columns, itertools.islice(rows, MOST_ROWS_ON_SCREEN if out.is_terminal else None))
        if next(rows, None) is not None:
            print_line(err, f"the first {MOST_ROWS_ON_SCREEN:,} rows; all of them with --csv or `visualsearch export`")


@app.command(epilog=f'Example: `visualsearch export "from hits where score > 0.8" best.csv`\n\n{PLAIN_EXIT_CODES}')
def export(
    source: Annotated[str, typer.Argument(help="A table, a view, or one question in DuckDB's SQL.")],
    destination: Annotated[Path, typer.Argument(help="The file; its ending says what kind: .csv, .parquet, .jsonl.")],
    *,
    config: ConfigOption = None,
) -> None:
    """Write a table, or the answer to a question, into a file."""
    from visualsearch_pipeline.settings import load_settings
    from visualsearch_pipeline.terminal import print_line, size
    from visualsearch_pipeline.warehouse import export

    written = export(load_settings(config).database_path, source, destination)
    print_line(out, f"{written.path}: {written.row_count} rows, {size(written.size_bytes)}")


@app.command(epilog=f"Example: `visualsearch report --to ./report`\n\n{PLAIN_EXIT_CODES}")
def report(
    *,
    config: ConfigOption = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="The report's folder; default: report in the state folder.")
    ] = None,
) -> None:
    """Write a page that shows the hits, to be opened in a browser, offline."""
    from visualsearch_pipeline.report import write_report
    from visualsearch_pipeline.settings import load_settings
    from visualsearch_pipeline.terminal import print_line

    settings = load_settings(config)
    written = write_report(settings.database_path, to or settings.report_path, archive_root=settings.archive_root)
    print_line(out, f"{written.path}: {written.hits} of {written.hits_total} hits, {written.pictures} with a picture")
