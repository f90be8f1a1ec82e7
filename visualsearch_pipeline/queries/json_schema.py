"""JSON Schemas of the files that people write, for completion and first checks in their editors.

    python -m visualsearch_pipeline.queries.json_schema docs

They are generated from the models and know one file at a time. That ids differ, that images can be sent and that
placeholders have values is for `load_query_sets` to say; it also takes a placeholder where the schema of a query set
wants one of a few words or a date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final, TypeVar, cast

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaValue

from visualsearch_pipeline.media.imports_file import ImportsFile
from visualsearch_pipeline.queries.file_format import QuerySetFile
from visualsearch_pipeline.settings import Settings

QUERY_SET_SCHEMA_FILE: Final = "query-set.schema.json"
SETTINGS_SCHEMA_FILE: Final = "visualsearch.schema.json"
IMPORTS_SCHEMA_FILE: Final = "imports.schema.json"

_DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""The dialect that YAML editors understand without gaps."""


def query_set_schema() -> JsonSchemaValue:
    """The schema of a query set."""
    return _schema(QuerySetFile, title="Query set of visualsearch_pipeline")


def settings_schema() -> JsonSchemaValue:
    """The schema of `visualsearch.yaml`."""
    return _schema(Settings, title="Settings of visualsearch_pipeline")


def imports_schema() -> JsonSchemaValue:
    """The schema of the file of imports."""
    return _schema(ImportsFile, title="Imports of visualsearch_pipeline")


def write_schemas(folder: Path) -> None:
    """Write the schemas into `folder`, under the names that the documentation gives."""
    schemas = (
        (QUERY_SET_SCHEMA_FILE, query_set_schema()),
        (SETTINGS_SCHEMA_FILE, settings_schema()),
        (IMPORTS_SCHEMA_FILE, imports_schema()),
    )
    for name, schema in schemas:
        (folder / name).write_text(as_text(schema), encoding="utf-8")


def as_text(schema: JsonSchemaValue) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema(model: type[BaseModel], *, title: str) -> JsonSchemaValue:
    generated = model.model_json_schema(ref_template="#/definitions/{model}")
    definitions = generated.pop("$defs", {})
    plain: JsonSchemaValue = _untitled({**generated, "definitions": definitions})
    return {"$schema": _DIALECT, "title": title, **plain}


SchemaT = TypeVar("SchemaT")


def _untitled(schema: SchemaT) -> SchemaT:
    """Without the titles that pydantic makes: they only repeat the keys."""
    match schema:
        case dict():
            kept = {key: _untitled(value) for key, value in schema.items() if not _is_title(key, value)}
            return cast(SchemaT, kept)
        case list():
            return cast(SchemaT, [_untitled(value) for value in schema])
        case _:
            return schema


def _is_title(key: object, value: object) -> bool:
    return key == "title" and isinstance(value, str)


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
