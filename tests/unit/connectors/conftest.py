"""The fixtures of connectors' tests."""

from tests.opened_tables import poll_all, read, tables

__all__ = ["poll_all", "read", "tables"]
