"""Turn footage into SQL: a Dagster pipeline around the Visual Search API."""

__version__ = "0.1.0"
