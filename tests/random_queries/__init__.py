"""Queries drawn from a grammar, run as streams and compared with DuckDB's batch answer."""
