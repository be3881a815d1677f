"""One operator per file, each pure: rows and watermarks in, rows and late rows out. See `contract`."""
