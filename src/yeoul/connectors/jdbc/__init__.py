"""Tables of SQLite and DuckDB files and of PostgreSQL, looked up by key."""
