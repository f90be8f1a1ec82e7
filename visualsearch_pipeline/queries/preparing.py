"""From a file as it is written to the file that its models see: defaults are filled in, templates expanded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from visualsearch_pipeline.located_yaml import Location, YamlDocument, YamlFileError, YamlProblem, validate_document
from visualsearch_pipeline.queries.file_format import DefaultsEntry, PublicTextEntry, QuerySetFile, entry_model
from visualsearch_pipeline.queries.library_models import PUBLIC_MEDIA
from visualsearch_pipeline.queries.templates import TemplateError, expand


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedFile:
    """A file of saved queries, checked by itself.

    Attributes:
        document: As it is written, for lines and keys.
        file: Its content; every entry is one query.
        positions: For every query of `file`, which entry of the document it came from, from 0.
    """

    document: YamlDocument
    file: QuerySetFile
    positions: tuple[int, ...]

    def problem(self, index: int, *path: str, message: str) -> YamlProblem:
        """A problem with a part of the query number `index`, from 0."""
        return self.document.problem(("queries", self.positions[index], *path), message)

    def line_of(self, index: int, *path: str) -> int:
        """On which line a part of the query number `index` stands."""
        return self.document.line_of(("queries", self.positions[index], *path))


def prepare(document: YamlDocument) -> PreparedFile:
    """Fill in the defaults, expand the templates, and check the result.

    Raises:
        YamlFileError: the file is not a query set; every mistake in it is named.
    """
    written = document.value if isinstance(document.value, dict) else {}
    entries = written.get("queries")
    if not isinstance(entries, list):
        return PreparedFile(document=document, file=validate_document(document, QuerySetFile), positions=())
    defaults = _usable_defaults(written.get("defaults"))
    prepared: list[object] = []
    positions: list[int] = []
    problems: list[YamlProblem] = []
    for position, entry in enumerate(entries):
        try:
            expanded: tuple[object, ...] = expand(entry) if isinstance(entry, dict) else (entry,)
        except TemplateError as error:
            problems += (document.problem(("queries", position, *path), text) for path, text in error.mistakes)
            continue
        prepared += (_with_defaults(query, defaults) for query in expanded)
        positions += [position] * len(expanded)

    def written_at(location: Location) -> Location:
        match location:
            case ("queries", int(index), *rest):
                return ("queries", positions[index], *rest)
            case _:
                return location

    if problems and not prepared:
        raise YamlFileError(document.path, problems)
    try:
        file = validate_document(
            replace(document, value={**written, "queries": prepared}), QuerySetFile, written_at=written_at
        )
    except YamlFileError as error:
        raise YamlFileError(document.path, [*problems, *error.problems]) from error
    if problems:
        raise YamlFileError(document.path, problems)
    return PreparedFile(document=document, file=file, positions=tuple(positions))


def _usable_defaults(written: object) -> Mapping[str, object]:
    """The defaults as they are written, or none where they are wrong: their own mistakes are then named once."""
    if not isinstance(written, dict):
        return {}
    try:
        DefaultsEntry.model_validate(written)
    except ValidationError:
        return {}
    return {key: value for key, value in written.items() if value is not None}


def _with_defaults(entry: object, defaults: Mapping[str, object]) -> object:
    model = entry_model(entry)
    if model is None or not isinstance(entry, dict):
        return entry
    taken = {field.alias or name for name, field in model.model_fields.items()}
    if model is PublicTextEntry and defaults.get("in") not in PUBLIC_MEDIA:
        # What the others of the file are compared with does not exist there; that is no mistake of this query.
        taken.discard("in")
    return {**{key: value for key, value in defaults.items() if key in taken}, **entry}
