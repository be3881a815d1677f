"""Files as tables: a file, a directory or a glob to read; a directory of part files, or one file, to write.

Modules: `spec` (options), `listing` (which files), `text` (lines out of bytes), `compressed`, `parquet`, `reader`,
`source`, `sink`, `publishing` (files that appear whole or not at all).
"""
