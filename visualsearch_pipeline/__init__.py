"""Turn footage into SQL: a Dagster pipeline around the Visual Search API."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visualsearch_pipeline.analysts import Warehouse, open_warehouse
    from visualsearch_pipeline.orchestration.component import VisualSearchComponent

__all__ = ["VisualSearchComponent", "Warehouse", "__version__", "open_warehouse"]

__version__ = "0.1.0"

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """The analysts' door and Dagster's, loaded when someone comes through: importing the package stays light."""
        if name in {"Warehouse", "open_warehouse"}:
            from visualsearch_pipeline import analysts

            return getattr(analysts, name)
        if name == "VisualSearchComponent":
            from visualsearch_pipeline.orchestration.component import VisualSearchComponent

            return VisualSearchComponent
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """What can be imported from here, loaded or not: Dagster finds components by this list."""
        return sorted({*globals(), *__all__})
