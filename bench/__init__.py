"""`make bench`: speed as ratios within one run, each answer compared with DuckDB, fresh bytes each time."""
