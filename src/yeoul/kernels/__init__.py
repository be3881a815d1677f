"""Compiled kernels, the only home of Numba: record batches, JSON, lines, keys. Pure: memory in, memory out.

Importing this package is cheap; its modules load Numba. Kernels work on addresses, see `machine` for the rules that
keep that safe and `compilation` for how machine code is kept. Callers: `formats`, `connectors`, `engine.state`.
"""

from __future__ import annotations

__all__ = ["compile_missing", "declare", "warm_up"]


def warm_up() -> None:
    """Loads all kernels, or compiles them: some ten seconds the first time, which is announced on stderr.

    Without it every kernel is prepared on its first call. Safe from several threads and processes at once.
    """
    declare()
    from yeoul.kernels.compilation import prepare_all

    prepare_all()


def compile_missing() -> None:
    """Compiles all kernels on all cores if some are not in the cache; loads none: each is loaded on its first call."""
    declare()
    from yeoul.kernels.compilation import all_are_cached, prepare_all

    if not all_are_cached():
        prepare_all()


def declare() -> None:
    """Imports every module that has kernels, which declares them, the longest to compile first."""
    from yeoul.kernels.json import leaf, rows  # noqa: F401, I001
    from yeoul.kernels.json import arrays, reader, writer  # noqa: F401
    from yeoul.kernels import chains, compaction, csv, decimals, fingerprints, folding, grouping  # noqa: F401
    from yeoul.kernels import interleaving, key_index, lines, rings  # noqa: F401
    from yeoul.kernels import parts, prefix_sums, quantile_sketches, records, rewriting, row_blocks  # noqa: F401
    from yeoul.kernels import sessions, text, texts, timelines, turns  # noqa: F401
