"""`visualsearch queries check | show | try`: saved queries, looked at before and after they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from rich.text import Text

from visualsearch_pipeline.api import VisualSearchClient
from visualsearch_pipeline.queries import (
    ImageLibraryQuery,
    PublicTextQuery,
    QuerySet,
    SavedQuery,
    TextQuery,
    check_queries,
)
from visualsearch_pipeline.terminal import print_rows, printable

if TYPE_CHECKING:
    from rich.console import Console

    from visualsearch_pipeline.api import OnCall
    from visualsearch_pipeline.queries import Medium, PublicMedium, PublicPlatform
    from visualsearch_pipeline.settings import Settings

_SHOWN_HITS: Final = 20
_TEXT_ID: Final = "tried"


def check(settings: Settings, *, console: Console) -> bool:
    """Print every mistake in the query files, or what there is; say whether all can be asked."""
    checked = check_queries(settings.queries)
    for line in (*checked.problems, *checked.notes):
        console.print(Text(printable_lines(line)), soft_wrap=True)
    if checked.is_ok:
        sets = len(checked.catalog.sets)
        console.print(f"{checked.query_count} queries in {sets} query set{'' if sets == 1 else 's'}, no mistakes")
    return checked.is_ok


def show(settings: Settings, name: str, *, console: Console) -> None:
    """Print what a query set, or one query of it, comes to. Makes no call.

    Raises:
        NoSuchQuery: there is none of that name.
    """
    from visualsearch_pipeline.pipeline.pipeline import Pipeline
    from visualsearch_pipeline.pipeline.query_status import query_statuses

    with Pipeline(settings, open_client=_no_client, run_id="queries show") as pipeline:
        statuses = query_statuses(pipeline, name)
    print_rows(
        console,
        ("query", "asks", "version", "answered", "open", "hits"),
        (
            (
                status.query_id,
                status.asks,
                status.query_version if status.is_current else f"{status.query_version} (earlier)",
                status.answered,
                status.open,
                f"{status.hits} (truncated)" if status.truncated else status.hits,
            )
            for status in statuses
        ),
    )


def try_once(
    settings: Settings,
    question: str,
    *,
    medium: Medium | Literal["images"],
    public: PublicPlatform | None = None,
    video_no: str | None,
    console: Console,
    progress_console: Console,
) -> None:
    """Ask once, now, and print the best hits. `question` is a saved query's name (`street.red_truck`) or a text.

    Raises:
        NotTriable: an image within a video, and no video is named.
        VisualSearchError: the call failed.
        BudgetExceeded: it would pass a budget, and was not made.
    """
    from visualsearch_pipeline.commands.service import open_pipeline
    from visualsearch_pipeline.pipeline.trying import try_query

    with open_pipeline(settings, console=progress_console) as pipeline:
        saved = saved_query(pipeline.catalog.sets, question)
        query = saved or _text_query(question, medium=medium, public=public)
        trial = try_query(pipeline, query, at_most=_SHOWN_HITS, video_no=video_no)
    print_rows(
        console,
        ("score", "from", "to", "media", "text"),
        (
            (
                tried.hit.score,
                tried.start_seconds,
                tried.end_seconds,
                tried.name,
                tried.text,
            )
            for tried in trial.hits
        ),
    )
    more = "" if trial.is_complete else ", and there may be more: a saved query asks on until none is missing"
    console.print(Text(f"{trial.hit_count} hits{more}; ${trial.cost_usd:.4f}, nothing was stored"), soft_wrap=True)


def _text_query(text: str, *, medium: Medium | Literal["images"], public: PublicPlatform | None) -> SavedQuery:
    if public is not None:
        spoken: PublicMedium = "audio" if medium == "audio" else "clips"
        return PublicTextQuery(id=_TEXT_ID, text=text, platforms=(public,), medium=spoken)
    if medium == "images":
        return ImageLibraryQuery(id=_TEXT_ID, text=text)
    return TextQuery(id=_TEXT_ID, text=text, medium=medium)


def saved_query(sets: tuple[QuerySet, ...], name: str) -> SavedQuery | None:
    """The saved query called `<query set>.<id>`, if there is one."""
    set_name, _, query_id = name.partition(".")
    found = (query for one in sets if one.name == set_name for query in one.queries if query.id == query_id)
    return next(found, None)


def printable_lines(text: str) -> str:
    """Text with its own line breaks kept and every other control character made visible."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _no_client(_: OnCall) -> VisualSearchClient:
    raise AssertionError("looking at saved queries makes no call")
