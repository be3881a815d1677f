"""Rows by key without a window."""
