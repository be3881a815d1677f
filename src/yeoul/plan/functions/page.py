"""The page docs/functions.md, written out of the table: `python -m yeoul.plan.functions.page > docs/functions.md`."""

from __future__ import annotations

from collections.abc import Iterable

from yeoul.plan.functions import AGGREGATES, GROUPINGS, RANKINGS, SCALARS, WATERMARKS
from yeoul.plan.functions.refused import REFUSED
from yeoul.plan.functions.signatures import Function

__all__ = ["page"]

_FAMILIES = {
    "comparison": "Comparison",
    "logic": "Logic",
    "arithmetic": "Numbers",
    "string": "Strings and bytes",
    "hash": "Digests",
    "temporal": "Dates and times",
    "conditional": "Conditions",
    "collection": "Arrays, maps, rows",
    "bitmap": "Bitmaps",
    "json": "JSON",
    "type": "Types",
}

_HEAD = """# Functions

What Flink SQL's built-in functions are here. A function that is not on this page does not exist, and a statement that
calls it is refused when it is submitted. This page is written out of the table that the planner uses
(`python -m yeoul.plan.functions.page > docs/functions.md`), and a test holds the two together.

## Where yeoul differs from Flink

- **Overflow is silent, as in Flink**: integers wrap around, also in SUM and AVG; a cast to a smaller integer keeps the
  lower bits; a decimal with more digits than its type holds is NULL. Text that is no number fails the job in CAST and
  is NULL in TRY_CAST. One difference: a SUM of decimals that leaves 38 digits on its way and comes back is right, and
  NULL only while it is outside; Flink begins anew.
- `SUM` of INT is INT, of BIGINT is BIGINT, and `AVG` and `STDDEV` of integers are integers.
- **NaN** equals itself and is greater than every number, as in PostgreSQL. In Java it equals nothing.
- `TIMESTAMP` compared with `TIMESTAMP_LTZ` is read in the session's zone.
- **Regular expressions** are Rust's; a pattern with look-around or back-references runs in Python, once per different
  value. The group of `REGEXP_EXTRACT_ALL` is a literal.
- **Formats of dates** know the letters y u M L d D H h m s S a E, `DATE_FORMAT` also Y w W F e Q k K, `FROM_UNIXTIME` Y
  w W F k K X Z; others are refused. `UNIX_TIMESTAMP` and `TO_DATE` read as Java's SimpleDateFormat does: what follows
  the format does not matter, and the 13th month is next January. With `TO_TIMESTAMP` and a format the 31st of a month
  that has fewer days is its last.
- Formats, zones, JSON paths, patterns and separators may be columns: each different value is read once a batch, and one
  that has no meaning fails the job, where a literal is refused. Units are part of the language.
- `IS_ALPHA` and its like take strings only.
- `CURRENT_TIMESTAMP`, `NOW()` and `PROCTIME()` are read once a batch, not once a row. `RAND(seed)` starts anew in each
  batch.
- JSON paths have members, indexes, slices, wildcards and `..`; filters are refused.
- `VARIANT` is one spelling of a JSON document: it is compared and grouped by what it means, and has no order and, as in
  Flink, no CAST: `JSON_STRING(v)` writes it, `v['a']` and `v[1]` reach into it.
- `BITMAP_AND_AGG` and `BITMAP_XOR_AGG` keep the values of all bitmaps of a group, `BITMAP_OR_AGG` and
  `BITMAP_BUILD_AGG` their union.
- `APPROX_COUNT_DISTINCT` has a standard error of 1.6 % (HyperLogLog, 4096 registers).
- `APPROX_PERCENTILE(x, share)` (Flink has none; Spark calls it so) is within 1 % of the value that stands at the rank
  `FLOOR(share * (n - 1))` (DDSketch), over any values; it merges, shares the panes of windows and takes rows back. It
  costs eight bytes for each bin with values, some 350 for values over three orders of magnitude, and is DOUBLE.
  `PERCENTILE(x, share)` is exact and keeps every value. Shares are literals.
- CASE, IF, COALESCE, AND and OR evaluate, row by row, only what they need: `x <> 0 AND 1 / x > 2` does not fail.

Every expression of a table of some seventeen hundred was answered by Flink itself; what differs is stated one by one in
[flink-differences.md](flink-differences.md). Python functions are in [python-functions.md](python-functions.md).

Digests, URLs, JSON documents and VARIANT, PRINTF with widths, INITCAP, character sets other than UTF-8, BIN and HEX of
integers have no columnar implementation below and run in Python, once per different value of a batch. Everything else
is vectorised; decimals of any width are computed by compiled code.
"""


def page() -> str:
    """Returns the text of docs/functions.md."""
    parts = [_HEAD]
    for family, title in _FAMILIES.items():
        parts.append(_chapter(title, (each for each in (*SCALARS, *WATERMARKS) if each.family == family)))
    parts.append(_chapter("Aggregates", AGGREGATES))
    parts.append(_chapter("With GROUP BY", GROUPINGS))
    parts.append(_chapter("Before OVER", RANKINGS))
    parts.append(
        "CASE, CAST and TRY_CAST are part of the language. Every aggregate takes `FILTER (WHERE ...)`; DISTINCT works\n"
        "with COUNT, SUM, AVG, MIN, MAX, LISTAGG, ARRAY_AGG and the spreads. Every aggregate can stand before OVER.\n"
    )
    refused = "\n".join(f"| `{name}` | {reason} |" for name, reason in sorted(REFUSED.items()))
    parts.append(f"## Of Flink, but not here\n\n| function | instead |\n| --- | --- |\n{refused}\n")
    return "\n".join(parts)


def _chapter(title: str, functions: Iterable[Function]) -> str:
    rows = "\n".join(_row(each) for each in functions if each.usage)
    return f"## {title}\n\n| written | what it gives |\n| --- | --- |\n{rows}\n"


def _row(function: Function) -> str:
    others = [name for name in function.names[1:] if name != "||" and not name.endswith("_ON_NULL")]
    also = f" Also {', '.join(f'`{name}`' for name in others)}." if others and "NOW()" not in function.usage else ""
    usage = function.usage.replace("|", "\\|")
    return f"| `{usage}` | {function.summary}{also} |"


if __name__ == "__main__":
    print(page(), end="")
