"""A notebook over the published tables.

Run it from a folder with a `visualsearch.yaml`, or set VISUALSEARCH_CONFIG: `marimo run examples/notebook/explore.py`
"""

import marimo

app = marimo.App(width="medium", app_title="Visual search")


@app.cell
def _():
    import marimo as mo

    from visualsearch_pipeline import open_warehouse

    # Each cell opens the warehouse for its own questions, so that it reads what is published when it runs.
    with open_warehouse() as _warehouse:
        asked = _warehouse.sql(
            "SELECT DISTINCT query_set || '.' || query_id AS query FROM queries WHERE is_current ORDER BY ALL"
        ).to_pandas()
        published_at = _warehouse["publication"].to_pandas()["published_at"][0]
    mo.md(f"# Hits\n\nPublished {published_at:%Y-%m-%d %H:%M} UTC.")
    return asked, mo, open_warehouse


@app.cell
def _(asked, mo):
    query = mo.ui.dropdown(["every query", *asked["query"]], value="every query", label="Query")
    least_score = mo.ui.slider(0, 1, step=0.05, value=0, show_value=True, label="Minimum score")
    mo.hstack([query, least_score], justify="start")
    return least_score, query


@app.cell
def _(least_score, mo, open_warehouse, query):
    # Transcript phrases have no score; they stay until a score is asked for.
    with open_warehouse() as _warehouse:
        hits = _warehouse.sql(
            """
            SELECT query_set || '.' || query_id AS query, day, video_name, start_seconds, end_seconds, score, text
            FROM hits SEMI JOIN (FROM queries WHERE is_current) AS asked USING (query_set, query_id, query_version)
            WHERE $query IN ('every query', query_set || '.' || query_id)
              AND (score >= $least_score OR $least_score = 0)
            ORDER BY score DESC NULLS LAST, day DESC, video_name, start_seconds
            """,
            {"query": query.value, "least_score": least_score.value},
        ).to_pandas()
    mo.ui.table(hits, selection=None, label=f"{len(hits)} hits")
    return (hits,)


@app.cell
def _(hits, mo):
    per_day = hits.groupby([hits["day"].dt.strftime("%Y-%m-%d").rename("day"), "query"]).size().unstack(fill_value=0)
    mo.vstack([mo.md("## Hits per day"), mo.ui.table(per_day.reset_index(), selection=None)])
    return (per_day,)


@app.cell
def _(mo, open_warehouse):
    with open_warehouse() as _warehouse:
        spend = _warehouse.sql("FROM spend_by('operation')").to_pandas()
        gaps = _warehouse.sql(
            "SELECT query_id, count(*) AS videos FROM coverage_gaps() GROUP BY ALL ORDER BY ALL"
        ).to_pandas()
    mo.vstack(
        [
            mo.md(f"## Spend: ${spend['cost_usd'].sum():.2f}"),
            mo.ui.table(spend, selection=None),
            mo.md("## Not asked yet"),
            mo.ui.table(gaps, selection=None),
        ]
    )
    return gaps, spend


if __name__ == "__main__":
    app.run()
