"""The steps as plain functions: ingest, upload, index, search, transcribe, archive, publish. No Dagster in here."""
