"""Tables of SQLite and DuckDB files, looked up by key."""
