"""Publishing: the ledger's tables beside the Parquet files, all in one read-only DuckDB file."""

from __future__ import annotations

from visualsearch_pipeline import warehouse
from visualsearch_pipeline.pipeline.alerts import subscribe_alerts
from visualsearch_pipeline.pipeline.ledger_export import export_growing_tables
from visualsearch_pipeline.pipeline.ledger_tables import ledger_table
from visualsearch_pipeline.pipeline.lost_hits import forget_lost_hits
from visualsearch_pipeline.pipeline.lost_library_hits import forget_lost_library_hits
from visualsearch_pipeline.pipeline.lost_segments import forget_lost_segments
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.search import register_queries
from visualsearch_pipeline.warehouse import Publication
from visualsearch_pipeline.warehouse.schemas import LEDGER_TABLES


def publish(pipeline: Pipeline) -> Publication:
    """Bring the published tables up to what the ledger and the Parquet files say.

    Readers are never blocked: the new database is made aside and swapped in; nothing is made if nothing changed. The
    ledger is read before the files of hits, which are written before their coverage: whatever is covered has its hits.

    Raises:
        PublicationError: the new database could not be built; the old one stands.
    """
    register_queries(pipeline, pipeline.catalog)
    with pipeline.locked("publish"):
        subscribe_alerts(pipeline)
        forget_lost_hits(pipeline)
        forget_lost_library_hits(pipeline)
        forget_lost_segments(pipeline)
        export_growing_tables(pipeline)
        tables = {spec.name: ledger_table(pipeline, spec) for spec in LEDGER_TABLES if not spec.partition_by}
        names = [query_set.name for query_set in pipeline.catalog.files]
        return warehouse.publish(
            pipeline.store,
            pipeline.settings.database_path,
            tables,
            names,
            snapshot_days=pipeline.settings.snapshot_days,
        )
