"""Rows by fingerprint: batches of any size, one after the other and side by side, know nothing of each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from yeoul.kernels.grouping import group_rows

SIZES = (3, 40_000, 1, 200, 90_000, 40_000, 200_000, 7)


def assert_grouped(size: int) -> None:
    keys = np.random.default_rng(size).integers(0, max(1, size // 3), size) << 20
    groups = group_rows(keys, keys)
    _, firsts, sizes = np.unique(keys, return_index=True, return_counts=True)
    assert (groups.firsts == np.sort(firsts)).all()
    assert (groups.sizes == sizes[np.argsort(firsts)]).all()
    assert (keys[groups.firsts][groups.ids] == keys).all()


def test_batches_one_after_the_other() -> None:
    for size in SIZES:
        assert_grouped(size)


def test_batches_side_by_side() -> None:
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(assert_grouped, size) for size in SIZES * 3]:
            done.result()
