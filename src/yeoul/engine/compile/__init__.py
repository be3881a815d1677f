"""Lowers bound expressions to Polars expressions, once per job."""
