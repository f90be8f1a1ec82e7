"""What the sandbox remembers over restarts: SQLite tables and stored files."""
