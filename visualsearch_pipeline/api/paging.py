"""Reads all pages of a listing without losing, repeating or looping (contract §9.31, §9.32)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final, Protocol, TypeVar

MAX_PAGES: Final = 100_000
"""A listing that goes on after this many pages is not believed."""

_FRUITLESS_PAGES: Final = 2
_MAX_READINGS: Final = 3


class Page(Protocol):
    """What every page of a listing tells about itself."""

    @property
    def page_size(self) -> int:
        """How many items the service says it puts on a page."""
        ...

    @property
    def total_count(self) -> int | None:
        """How many items it says there are."""
        ...


PageType = TypeVar("PageType", bound=Page)
Item = TypeVar("Item")


def iterate_pages(
    read: Callable[[int], PageType],
    *,
    items: Callable[[PageType], Sequence[Item]],
    identity: Callable[[Item], Hashable],
    received: Callable[[PageType], Sequence[Hashable]],
    reread_if_unsettled: bool,
    most: int | None = None,
) -> Iterator[Item]:
    """Yield each item of a listing once.

    A page ends the listing when it is empty, or when it is short and the service's own count is reached. A service that
    puts fewer on a page than it was asked to is read on: its `page_size` counts, not ours. One that ignores `page` and
    repeats itself is left after two pages that bring nothing new; so is one whose `total_count` is never reached.

    Args:
        read: Reads the page with the given 1-based number.
        items: What to yield of a page.
        identity: By which an item is recognised.
        received: The identities of all that the service put on a page, those included that our own filters left out.
        reread_if_unsettled: Whether to read everything again, at most twice, if the service's count shrank meanwhile or
            was not reached: deletions move items to pages that were read already.
        most: How many items there can be, if the question sets a limit: no page is read to learn that it is empty.
    """
    yielded: set[Hashable] = set()
    seen: set[Hashable] = set()
    for reading in range(_MAX_READINGS):
        seen_this_time: set[Hashable] = set()
        total_count: int | None = None
        has_shrunk = False
        fruitless = 0
        for number in range(1, MAX_PAGES + 1):
            page = read(number)
            for item in items(page):
                if identity(item) not in yielded:
                    yielded.add(identity(item))
                    yield item
            on_page = received(page)
            fruitless = fruitless + 1 if seen_this_time.issuperset(on_page) else 0
            seen_this_time.update(on_page)
            if page.total_count is not None:
                has_shrunk |= total_count is not None and page.total_count < total_count
                total_count = page.total_count
            is_last = len(on_page) < page.page_size and (total_count is None or len(seen_this_time) >= total_count)
            is_last |= most is not None and len(seen_this_time) >= most
            if not on_page or is_last or fruitless >= _FRUITLESS_PAGES:
                break
        brought_nothing = seen.issuperset(seen_this_time)
        seen |= seen_this_time
        is_short = total_count is not None and len(seen) < total_count
        is_settled = not has_shrunk and (not is_short or (reading > 0 and brought_nothing))
        if is_settled or not reread_if_unsettled:
            return
