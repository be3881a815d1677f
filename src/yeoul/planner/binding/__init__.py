"""Binding: every name of a syntax tree resolved, every type known; what comes out is plan nodes and statements."""
