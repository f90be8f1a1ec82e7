"""The order in which a walk meets what lies in a source, so that a later walk goes on where an earlier one stopped."""

from __future__ import annotations

from typing import TypeAlias

ListingOrder: TypeAlias = tuple[tuple[int, str], ...]
"""Sorts as the walk goes: the files of a folder by name, then its folders by name, each with all that is in it."""


def listing_order(place: str) -> ListingOrder:
    """The order of a file by its path within the source, or of a folder by its path and a `/` behind it.

    Example:
        >>> sorted(["b.mp4", "a/", "a/c.mp4", "a/a/z.mp4", "a.mp4"], key=listing_order)
        ['a.mp4', 'b.mp4', 'a/', 'a/c.mp4', 'a/a/z.mp4']
    """
    *folders, name = place.split("/")
    return (*((1, folder) for folder in folders), *(((0, name),) if name else ()))
