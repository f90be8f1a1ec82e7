"""The team's Dagster project."""
