"""Nexmark: the auction benchmark of streaming queries, over events that a seed decides."""
