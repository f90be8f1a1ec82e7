"""Listing the source, whole or a piece at a time: what one look has no time for, the next goes on with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from visualsearch_pipeline import media
from visualsearch_pipeline.media import DiscoveryProblem, SourceFile, listing_order
from visualsearch_pipeline.pipeline.pipeline import Pipeline, TimeBox


@dataclass(frozen=True)
class SourceListing:
    """What was listed of a source.

    Attributes:
        files: In the order of the walk.
        problems: What could not be read on the way.
        after: Where an earlier look stopped, and this one began; None at the beginning.
        position: Where this one stopped, for the next to go on from; None if that begins anew.
        is_cut: Whether it stopped for want of time before the end.
        linked: The linked folders it came by. A piece does not enter them: only a whole listing knows which folders
            were entered before.
    """

    files: tuple[SourceFile, ...] = ()
    problems: tuple[DiscoveryProblem, ...] = ()
    after: str | None = None
    position: str | None = None
    is_cut: bool = False
    linked: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it began at the beginning and came to the end."""
        return self.after is None and not self.is_cut

    def covers(self, relative_path: str) -> bool:
        """Whether a file of this path would have been listed if it were there."""
        if self.is_whole:
            return True
        order = listing_order(relative_path)
        begins = self.after is None or order > listing_order(self.after)
        ends = self.position is None or order <= listing_order(self.position)
        return begins and ends and not self._is_linked(relative_path)

    def up_to(self, file: SourceFile) -> SourceListing:
        """The same, as if it had stopped after `file`."""
        files = self.files[: self.files.index(file) + 1]
        return replace(self, files=files, position=_position(file.relative_path, self.linked), is_cut=True)

    def _is_linked(self, relative_path: str) -> bool:
        return relative_path.startswith(self.linked)


def list_source(
    pipeline: Pipeline, path: str, *, after: str | None = None, time_box: TimeBox | None = None
) -> SourceListing:
    """List the source from where an earlier look stopped until the end, or until the time is up.

    Every look comes further than the one before, however little time it has; a folder is the least that is listed.

    Raises:
        SourceUnavailable: the source as a whole cannot be listed.
        InvalidPattern: a pattern that can match nothing.
    """
    source = pipeline.settings.source
    files: list[SourceFile] = []
    problems: list[DiscoveryProblem] = []
    linked: list[str] = []
    stopped_at: str | None = None
    walk = media.scan(
        path,
        include=source.include,
        exclude=source.exclude,
        storage_options=pipeline.storage_options,
        after=after,
    )
    for met in walk:
        place: str | None = None
        if isinstance(met, DiscoveryProblem):
            problems.append(met)
        elif isinstance(met, SourceFile):
            files.append(met)
            place = met.relative_path
        elif met.is_linked:
            linked.append(met.place)
        else:
            place = met.place
        if place is not None and time_box is not None and time_box.is_over and _can_be_kept(place):
            stopped_at = place
            break
    return SourceListing(
        files=tuple(files),
        problems=tuple(problems),
        after=after,
        position=None if stopped_at is None else _position(stopped_at, tuple(linked)),
        is_cut=stopped_at is not None,
        linked=tuple(linked),
    )


def _position(place: str, linked: tuple[str, ...]) -> str | None:
    """Linked folders come last: who stops there has seen the rest, and begins anew."""
    return None if place.startswith(linked) else place


def _can_be_kept(place: str) -> bool:
    """Whether a cursor can hold it: names that are not valid UTF-8 come as surrogates."""
    try:
        place.encode()
    except UnicodeEncodeError:
        return False
    return True
