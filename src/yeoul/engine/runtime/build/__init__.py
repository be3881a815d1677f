"""From a plan to lanes and stages: which operators, in which order, compiled once; a module a family of nodes.

`build` is all that the rest of the runtime needs; `writable_columns` tells what INSERT INTO fills.
"""

from __future__ import annotations

from yeoul.engine.runtime.build.pipelines import Built, build
from yeoul.engine.runtime.build.rows import writable_columns

__all__ = ["Built", "build", "writable_columns"]
