"""A folder of query set files, read into a catalog: what is broken is named and never stops the rest."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

from visualsearch_pipeline.located_yaml import (
    YamlDocument,
    YamlFileError,
    YamlProblem,
    read_yaml,
    validate_document,
)
from visualsearch_pipeline.queries.file_format import (
    AnyQueryEntry,
    HitVideosEntry,
    ImageEntry,
    ImageInVideoEntry,
    QuerySetFile,
    TextEntry,
    TranscriptEntry,
)
from visualsearch_pipeline.queries.images import UnusableImageError, open_query_image
from visualsearch_pipeline.queries.models import (
    BrokenQuery,
    BrokenQuerySet,
    Candidates,
    EachVideo,
    HitVideos,
    ImageInVideoQuery,
    ImageQuery,
    ListedVideos,
    Place,
    QueryCatalog,
    QuerySet,
    SavedQuery,
    TextQuery,
    TranscriptQuery,
)
from visualsearch_pipeline.queries.names import set_name_problem
from visualsearch_pipeline.queries.version import query_version

_SUFFIXES = frozenset({".yaml", ".yml"})


class _UnusableQueryError(Exception):
    """One query of a well-formed file cannot be asked."""


def load_query_sets(folder: Path) -> QueryCatalog:
    """Read every `*.yaml` and `*.yml` file in `folder`; sub-folders and hidden files are left alone.

    Returns:
        All sets, and all files that are none, sorted by name. Nothing is raised for what stands in a file: a file with
        a mistake is in `broken`, and a query whose image cannot be used is in the `broken` of its set.
    """
    try:
        paths = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
        )
    except FileNotFoundError:
        return QueryCatalog(note=f"there is no folder {folder}: make it and put a file such as street.yaml into it")
    except NotADirectoryError:
        return QueryCatalog(note=f"{folder} is a file: name the folder that holds the query sets")
    except OSError as error:
        return QueryCatalog(note=f"the folder {folder} cannot be read: {error.strerror or error}")
    if not paths:
        return QueryCatalog(note=f"the folder {folder} holds no query set: put a file such as street.yaml into it")
    sets: dict[str, QuerySet] = {}
    broken: list[BrokenQuerySet] = []
    for path in paths:
        if path.stem in sets:
            taken = sets[path.stem].path.name
            problem = YamlProblem(1, "", f"its name is taken by {taken}; rename one of them")
            broken.append(BrokenQuerySet(path.stem, path, (problem,)))
            continue
        try:
            sets[path.stem] = load_query_set(path)
        except YamlFileError as error:
            broken.append(BrokenQuerySet(path.stem, path, error.problems))
    return QueryCatalog(sets=tuple(sets.values()), broken=tuple(broken))


def load_query_set(path: Path) -> QuerySet:
    """Read one query set.

    Raises:
        YamlFileError: the file is not a query set; every mistake in it is named.
    """
    if problem := set_name_problem(path.stem):
        raise YamlFileError(path, [YamlProblem(1, "", problem)])
    document = read_yaml(path)
    file = validate_document(document, QuerySetFile)
    if problems := [*_repeated_ids(document, file), *_wrong_references(document, file)]:
        raise YamlFileError(path, problems)
    queries, broken = _open_queries(document, file)
    return QuerySet(
        name=path.stem,
        path=path,
        description=file.description,
        owner=file.owner,
        queries=tuple(queries[entry.id] for entry in file.queries if entry.id in queries),
        broken=tuple(broken),
    )


def _repeated_ids(document: YamlDocument, file: QuerySetFile) -> Iterator[YamlProblem]:
    first: dict[str, int] = {}
    for position, entry in enumerate(file.queries):
        location = ("queries", position, "id")
        if entry.id in first:
            yield document.problem(location, f"`{entry.id}` is taken (line {first[entry.id]}); an id is used once")
        first.setdefault(entry.id, document.line_of(location))


def _wrong_references(document: YamlDocument, file: QuerySetFile) -> Iterator[YamlProblem]:
    """A query looks within the hits of another that does not itself depend on one: no chain, hence no circle."""
    entries = {entry.id: entry for entry in file.queries}
    for position, entry in enumerate(file.queries):
        if not (isinstance(entry, ImageInVideoEntry) and isinstance(entry.within, HitVideosEntry)):
            continue
        wanted, location = entry.within.query, ("queries", position, "within", "query")
        if wanted == entry.id:
            yield document.problem(location, "names the query itself; name another query of this file")
        elif wanted not in entries:
            nearest = difflib.get_close_matches(wanted, entries, n=1)
            hint = f"did you mean `{nearest[0]}`?" if nearest else f"it has: {', '.join(sorted(entries))}"
            yield document.problem(location, f"this file has no query `{wanted}`; {hint}")
        elif isinstance(entries[wanted], ImageInVideoEntry):
            yield document.problem(
                location, f"`{wanted}` looks within videos itself; name a query with text, transcript or image alone"
            )


def _open_queries(document: YamlDocument, file: QuerySetFile) -> tuple[Mapping[str, SavedQuery], list[BrokenQuery]]:
    queries: dict[str, SavedQuery] = {}
    broken: dict[int, BrokenQuery] = {}
    # Those that others may refer to come first.
    for position, entry in sorted(enumerate(file.queries), key=lambda item: isinstance(item[1], ImageInVideoEntry)):
        try:
            queries[entry.id] = _open_query(entry, document.path.parent, queries)
        except (UnusableImageError, _UnusableQueryError) as error:
            line = document.line_of(("queries", position, "image"))
            broken[position] = BrokenQuery(entry.id, line, str(error))
    return queries, [broken[position] for position in sorted(broken)]


def _open_query(entry: AnyQueryEntry, folder: Path, others: Mapping[str, SavedQuery]) -> SavedQuery:
    match entry:
        case TextEntry():
            return TextQuery(
                id=entry.id,
                text=entry.text,
                medium=entry.medium,
                filtering_level=entry.filtering_level,
                min_score=entry.min_score,
                tag=entry.tag,
                camera=entry.camera,
                taken_after=entry.taken_after,
                near=Place(latitude=entry.near.latitude, longitude=entry.near.longitude) if entry.near else None,
                description=entry.description,
                tags=entry.tags,
            )
        case ImageEntry():
            return ImageQuery(
                id=entry.id,
                image=open_query_image(folder / entry.image),
                similarity=entry.similarity,
                min_score=entry.min_score,
                description=entry.description,
                tags=entry.tags,
            )
        case ImageInVideoEntry():
            return ImageInVideoQuery(
                id=entry.id,
                image=open_query_image(folder / entry.image),
                prompt=entry.prompt,
                within=_candidates(entry, others),
                min_score=entry.min_score,
                description=entry.description,
                tags=entry.tags,
            )
        case TranscriptEntry():
            return TranscriptQuery(
                id=entry.id, transcript=entry.transcript, description=entry.description, tags=entry.tags
            )


def _candidates(entry: ImageInVideoEntry, others: Mapping[str, SavedQuery]) -> Candidates:
    match entry.within:
        case HitVideosEntry(query=query_id):
            if query_id not in others:
                raise _UnusableQueryError(f"it looks within the hits of `{query_id}`, which cannot be asked itself")
            return HitVideos(query_id=query_id, query_version=query_version(others[query_id]))
        case tuple() as video_nos:
            return ListedVideos(video_nos=tuple(sorted(set(video_nos))))
        case _:
            return EachVideo()
