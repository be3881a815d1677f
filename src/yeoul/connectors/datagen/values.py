"""Values out of row numbers: a column of any type, the same however the rows are cut into batches.

Owns the generator. Invariant: a row's value depends on (seed, column, row number, the time given) only, so that a
reader that goes on at a row makes what it would have made anyway. Callers: `datagen.source`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.connectors.datagen.options import field_option
from yeoul.connectors.options import flag
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.errors import UserError
from yeoul.plan.types import DataType, Kind

__all__ = ["Generator", "Rows", "make_generator", "sequence_rows"]

_RANGES = {Kind.TINYINT: 8, Kind.SMALLINT: 16, Kind.INT: 32, Kind.BIGINT: 64}
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


@dataclass(frozen=True, slots=True)
class Rows:
    """Which values to make: their numbers (uint64, distinct), and the wall time to make them for."""

    numbers: NDArray[np.uint64]
    now_ms: int

    def __len__(self) -> int:
        return len(self.numbers)


Generator = Callable[[Rows], pl.Series]


def _mix(values: NDArray[np.uint64], salt: int) -> NDArray[np.uint64]:
    """Scatters 64-bit numbers (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        mixed = values * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt & 0xFFFFFFFFFFFFFFFF)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)), np.uint64)


def _salt(seed: int, path: str, purpose: str = "") -> int:
    text = f"{path}\0{purpose}".encode()
    return (seed * 0x2545F4914F6CDD1D) ^ (zlib.crc32(text) << 32) ^ zlib.adler32(text)


def _shares(rows: Rows, salt: int) -> NDArray[np.float64]:
    """Returns numbers evenly spread over [0, 1)."""
    return np.asarray((_mix(rows.numbers, salt) >> np.uint64(11)) * 2.0**-53, np.float64)


def sequence_rows(options: Mapping[str, str], column: str) -> int | None:
    """Returns how many rows a column's sequence has, None if it is random."""
    if field_option(options, column, "kind") != "sequence":
        return None
    start, end = int(field_option(options, column, "start")), int(field_option(options, column, "end"))
    if end < start:
        raise UserError(f"Option 'fields.{column}.end': expected at least the start {start}, got {end}")
    return end - start + 1


def make_generator(options: Mapping[str, str], path: str, type: DataType, seed: int) -> Generator:
    """Returns what makes one column.

    Args:
        options: The table's.
        path: The column's name, with those of the fields inside it after dots.
        type: Its type.
        seed: Two tables of one seed get the same values.

    Raises:
        UserError: A bound does not fit the type, or the type cannot be made.
    """
    make = _make_sequence if field_option(options, path, "kind") == "sequence" else _make_random
    generate = make(options, path, type, seed)
    null_rate = field_option(options, path, "null-rate")
    if not null_rate:
        return generate
    salt = _salt(seed, path, "null")

    def with_nulls(rows: Rows) -> pl.Series:
        values = generate(rows)
        absent = pl.Series(_shares(rows, salt) < null_rate)
        return values.to_frame("value").select(pl.when(~absent).then(pl.col("value")).alias("value")).to_series()

    return with_nulls


def _make_sequence(options: Mapping[str, str], path: str, type: DataType, seed: int) -> Generator:
    start = int(field_option(options, path, "start"))
    dtype = polars_dtype(type)
    if not (type.is_numeric or type.kind is Kind.STRING):
        raise UserError(f"Column {path!r}: no sequence of {type}", hint="Sequences are made for numbers and STRING.")
    return lambda rows: pl.Series(rows.numbers.astype(np.int64) + start).cast(dtype)


def _make_random(options: Mapping[str, str], path: str, type: DataType, seed: int) -> Generator:
    salt = _salt(seed, path)
    match type.kind:
        case Kind.BOOLEAN:
            return lambda rows: pl.Series((_mix(rows.numbers, salt) & np.uint64(1)).astype(np.bool_))
        case Kind.TINYINT | Kind.SMALLINT | Kind.INT | Kind.BIGINT:
            return _integers(options, path, type, salt)
        case Kind.FLOAT | Kind.DOUBLE:
            return _floats(options, path, type, salt)
        case Kind.DECIMAL:
            return _decimals(options, path, type, salt)
        case Kind.STRING | Kind.BYTES:
            return _texts(options, path, type, salt)
        case Kind.DATE | Kind.TIME | Kind.TIMESTAMP | Kind.TIMESTAMP_LTZ:
            return _times(options, path, type, salt)
        case Kind.ARRAY | Kind.MAP:
            return _collections(options, path, type, seed)
        case Kind.ROW:
            return _structs(options, path, type, seed)
        case _:
            raise UserError(f"Column {path!r}: datagen makes no {type}")


def _bound(options: Mapping[str, str], path: str, part: str, type: DataType, default: Decimal) -> Decimal:
    given = field_option(options, path, part)
    if given is None:
        return default
    try:
        bound = Decimal(given)
    except InvalidOperation:
        raise UserError(f"Option 'fields.{path}.{part}': expected a number for {type}, got {given!r}") from None
    return bound


def _bounds(
    options: Mapping[str, str], path: str, type: DataType, low: Decimal, high: Decimal
) -> tuple[Decimal, Decimal]:
    smallest = _bound(options, path, "min", type, low)
    largest = _bound(options, path, "max", type, high)
    if not low <= smallest <= largest <= high:
        raise UserError(
            f"Column {path!r}: expected min <= max within {type}'s range, got min {smallest} and max {largest}",
            hint=f"The range is {low} to {high}.",
        )
    return smallest, largest


def _integers(options: Mapping[str, str], path: str, type: DataType, salt: int) -> Generator:
    limit = 1 << (_RANGES[type.kind] - 1)
    low, high = _bounds(options, path, type, Decimal(-limit), Decimal(limit - 1))
    span = int(high) - int(low) + 1
    dtype = polars_dtype(type)

    def generate(rows: Rows) -> pl.Series:
        values = _mix(rows.numbers, salt)
        if span < 1 << 64:
            values = values % np.uint64(span)
        with np.errstate(over="ignore"):
            shifted = (values + np.uint64(int(low) % (1 << 64))).view(np.int64)
        return pl.Series(shifted).cast(dtype)

    return generate


def _floats(options: Mapping[str, str], path: str, type: DataType, salt: int) -> Generator:
    widest = Decimal(float(np.finfo(np.float32 if type.kind is Kind.FLOAT else np.float64).max))
    low, high = _bounds(options, path, type, -widest, widest)
    start, end = float(low), float(high)
    dtype = polars_dtype(type)

    def generate(rows: Rows) -> pl.Series:
        shares = _shares(rows, salt)
        return pl.Series(start * (1 - shares) + end * shares).cast(dtype)

    return generate


def _decimals(options: Mapping[str, str], path: str, type: DataType, salt: int) -> Generator:
    precision, scale = type.precision or 10, type.scale or 0
    widest = Decimal(10) ** (precision - scale) - Decimal(1).scaleb(-scale)
    low, high = _bounds(options, path, type, -widest, widest)
    dtype = polars_dtype(type)
    start, end = int(low.scaleb(scale)), int(high.scaleb(scale))

    def generate(rows: Rows) -> pl.Series:
        span = end - start + 1
        # More digits than 18 would need wide integers: the lowest ones stay zero then.
        coarse = 10 ** max(0, len(str(span)) - 18)
        units = (_mix(rows.numbers, salt) % np.uint64(max(1, span // coarse))).astype(np.int64)
        values = [Decimal(start + unit * coarse).scaleb(-scale) for unit in units.tolist()]
        return pl.Series(values, dtype=dtype)

    return generate


def _lengths(options: Mapping[str, str], path: str, longest: int, rows: Rows, salt: int) -> NDArray[np.int64]:
    given = field_option(options, path, "var-len")
    if not flag(given):
        return np.full(len(rows), longest, np.int64)
    return (_mix(rows.numbers, salt ^ 0x5BD1E995) % np.uint64(longest + 1)).astype(np.int64)


def _texts(options: Mapping[str, str], path: str, type: DataType, salt: int) -> Generator:
    named = f"fields.{path}.length" in options
    length = int(field_option(options, path, "length")) if named or type.precision is None else type.precision
    if type.precision is not None and length > type.precision:
        raise UserError(f"Option 'fields.{path}.length': expected at most {type.precision} for {type}, got {length}")
    binary = type.kind is Kind.BYTES

    def generate(rows: Rows) -> pl.Series:
        words = (length + 15) // 16
        first = rows.numbers * np.uint64(max(1, words))
        numbers = np.add.outer(first, np.arange(words, dtype=np.uint64)).astype(np.uint64)
        scattered = _mix(numbers, salt).view(np.uint8).reshape(len(rows), words * 8)
        digits = np.empty((len(rows), words * 16), np.uint8)
        digits[:, 0::2] = scattered >> 4
        digits[:, 1::2] = scattered & 15
        lengths = _lengths(options, path, length, rows, salt)
        return _from_matrix(digits if binary else _HEX[digits], lengths, binary)

    return generate


def _from_matrix(matrix: NDArray[np.uint8], lengths: NDArray[np.int64], binary: bool) -> pl.Series:
    """Makes texts of the first `lengths` bytes of each row."""
    import pyarrow as pa

    kept = np.arange(matrix.shape[1]) < lengths[:, None]
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    data = matrix[kept]
    kind = pa.large_binary() if binary else pa.large_string()
    array = pa.Array.from_buffers(kind, len(lengths), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series


def _times(options: Mapping[str, str], path: str, type: DataType, salt: int) -> Generator:
    max_past_ms = int(field_option(options, path, "max-past"))
    dtype = polars_dtype(type)
    if type.kind is Kind.TIME:
        return lambda rows: pl.Series((_shares(rows, salt) * 86_400).astype(np.int64) * 1_000_000_000).cast(dtype)

    def generate(rows: Rows) -> pl.Series:
        past_ms = (_shares(rows, salt) * max_past_ms).astype(np.int64)
        stamps = pl.Series(rows.now_ms - past_ms).cast(pl.Datetime("ms"))
        return stamps.dt.replace_time_zone("UTC").cast(dtype) if type.kind is Kind.TIMESTAMP_LTZ else stamps.cast(dtype)

    return generate


def _collections(options: Mapping[str, str], path: str, type: DataType, seed: int) -> Generator:
    assert type.element is not None
    longest = int(field_option(options, path, "length"))
    salt = _salt(seed, path)
    parts = {"element": make_generator(options, f"{path}.element", type.element, seed)}
    if type.kind is Kind.MAP:
        assert type.key is not None
        parts = {
            "key": make_generator(options, f"{path}.key", type.key, seed),
            "value": make_generator(options, f"{path}.value", type.element, seed),
        }

    def generate(rows: Rows) -> pl.Series:
        lengths = _lengths(options, path, longest, rows, salt)
        owners = np.repeat(np.arange(len(rows)), lengths)
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        within = np.arange(len(owners)) - starts
        numbers = rows.numbers[owners] * np.uint64(max(1, longest)) + within.astype(np.uint64)
        inner = Rows(numbers, rows.now_ms)
        columns = {name: make(inner) for name, make in parts.items()}
        values = columns["element"] if "element" in columns else pl.DataFrame(columns).to_struct("value")
        return _nest(values, lengths)

    return generate


def _nest(values: pl.Series, lengths: NDArray[np.int64]) -> pl.Series:
    import pyarrow as pa

    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    nested = pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(offsets), values.to_arrow()))
    assert isinstance(nested, pl.Series)
    return nested.cast(pl.List(values.dtype))


def _structs(options: Mapping[str, str], path: str, type: DataType, seed: int) -> Generator:
    parts = {field.name: make_generator(options, f"{path}.{field.name}", field.type, seed) for field in type.fields}
    return lambda rows: pl.DataFrame({name: make(rows) for name, make in parts.items()}).to_struct(path)
