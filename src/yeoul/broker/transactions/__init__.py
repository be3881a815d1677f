"""Transactions: which producer may write, what its transaction touches, how it ends. Pure; see `coordinator`."""
