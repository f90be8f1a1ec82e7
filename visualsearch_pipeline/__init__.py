"""Turn footage into SQL: a Dagster pipeline around the Visual Search API."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visualsearch_pipeline.analysts import Warehouse, open_warehouse

__all__ = ["Warehouse", "__version__", "open_warehouse"]

__version__ = "0.1.0"

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """The analysts' door, loaded when someone comes through it: importing the package stays light."""
        if name in {"Warehouse", "open_warehouse"}:
            from visualsearch_pipeline import analysts

            return getattr(analysts, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
