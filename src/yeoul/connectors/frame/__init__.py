"""Tables that are already in memory: Polars, pandas and Arrow frames given by the caller."""
