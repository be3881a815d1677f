"""Rows, progress and errors as text for a terminal, a pipe or a file."""
