"""A folder of query set files, read into a catalog: what is broken is named and never stops the rest."""

from __future__ import annotations

from pathlib import Path

from visualsearch_pipeline.located_yaml import YamlFileError, YamlProblem, read_yaml
from visualsearch_pipeline.queries.alerts import to_alert
from visualsearch_pipeline.queries.models import BrokenQuerySet, QueryCatalog, QuerySet
from visualsearch_pipeline.queries.names import set_name_problem
from visualsearch_pipeline.queries.opening import open_queries, repeated_ids, unusable_images, wrong_references
from visualsearch_pipeline.queries.preparing import prepare
from visualsearch_pipeline.queries.schedules import to_schedule

_SUFFIXES = frozenset({".yaml", ".yml"})


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
    try:
        prepared = prepare(document)
    except YamlFileError as error:
        raise YamlFileError(path, [*error.problems, *unusable_images(document)]) from error
    if problems := [*repeated_ids(prepared), *wrong_references(prepared)]:
        raise YamlFileError(path, [*problems, *unusable_images(document)])
    queries, broken = open_queries(prepared)
    return QuerySet(
        name=path.stem,
        path=path,
        description=prepared.file.description,
        owner=prepared.file.owner,
        queries=queries,
        broken=broken,
        alerts={
            entry.id: to_alert(entry.alert, folder=path.parent)
            for entry in prepared.file.queries
            if entry.alert is not None
        },
        schedule=to_schedule(prepared.file.schedule),
    )
