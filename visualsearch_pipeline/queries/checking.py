"""Looking over all saved queries at once, as `visualsearch queries check` does. No call, no key, no ledger."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from visualsearch_pipeline.queries.catalog import load_query_sets
from visualsearch_pipeline.queries.models import QueryCatalog
from visualsearch_pipeline.queries.version import query_version


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCheck:
    """What stands in a folder of query sets.

    Attributes:
        catalog: Everything that was read.
        problems: One line each, with file, line, key and remedy; what makes it fail.
        notes: What is worth knowing and no mistake, such as one question under two names.
    """

    catalog: QueryCatalog
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_ok(self) -> bool:
        """Whether every query of every file can be asked."""
        return not self.problems

    @property
    def query_count(self) -> int:
        """How many queries can be asked; those of templates count one by one."""
        return sum(len(query_set.queries) for query_set in self.catalog.sets)


def check_queries(folder: Path) -> QueryCheck:
    """Read every query set of `folder` and name everything that is wrong with any of them."""
    catalog = load_query_sets(folder)
    files = (f"{broken.path}, {problem}" for broken in catalog.broken for problem in broken.problems)
    queries = (
        f"{query_set.path}, line {broken.line}: {broken.id}: {broken.reason}"
        for query_set in catalog.sets
        for broken in query_set.broken
    )
    problems = sorted([*files, *queries])
    if catalog.note is not None:
        problems.append(catalog.note)
    return QueryCheck(catalog=catalog, problems=tuple(problems), notes=_repeated_questions(catalog))


def _repeated_questions(catalog: QueryCatalog) -> tuple[str, ...]:
    named: dict[str, list[str]] = defaultdict(list)
    for query_set in catalog.sets:
        for query in query_set.queries:
            named[query_version(query)].append(f"{query_set.name}.{query.id}")
    return tuple(
        f"{', '.join(names)}: the same question; it is asked once and its hits stand under each name"
        for names in named.values()
        if len(names) > 1
    )
