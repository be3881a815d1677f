"""NDJSON file -> 1-minute tumble: yeoul against bare Polars on the same bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import events, tumble
from bench.measure import Row, faster, seconds

BARS = {"compact": 1.5, "spaced": 1.5, "mixed": 1.0}


def run(count: int, repeats: int, seed: int) -> Iterator[Row]:
    """Yields one row a style; each repeat writes a new file, answers it three ways and compares the answers."""
    for style in events.STYLES:
        ours_s, polars_s = [], []
        with tempfile.TemporaryDirectory() as folder:
            for repeat in range(repeats + 1):
                path = Path(folder) / f"events-{repeat}.ndjson"
                events.write(path, count, seed + repeat, style)
                options = {"connector": "filesystem", "path": str(path), "format": "json"}
                mine_s, answer = seconds(lambda options=options: tumble.yeoul(options))
                theirs_s, _ = seconds(lambda path=path: tumble.bare_polars(path))
                tumble.check(answer, tumble.expected(path))
                path.unlink()
                if repeat:  # the first one warms both up
                    ours_s.append(mine_s)
                    polars_s.append(theirs_s)
        yield faster(f"file -> tumble, {style}", count, ours_s, polars_s, BARS[style], "bare Polars, 4 MB chunks")
