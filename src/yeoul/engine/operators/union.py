"""UNION ALL: rows of every input as they come, under the first input's names.

Whoever feeds it has merged `$watermark` over its ports already (`WatermarkMerge`).
"""

from __future__ import annotations

from yeoul.engine.operators.relabel import Relabel

__all__ = ["Union"]


class Union(Relabel):
    """Hands on each port's rows, columns matched by position."""
