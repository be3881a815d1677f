"""Values inside ARRAY and MAP columns: parsed JSON to what a Polars list takes, with the coercions of plain columns.

A slow and correct way for columns that are rare: one Python object a value.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import polars as pl
from polars.datatypes import DataTypeClass

from yeoul.formats.json.fields import instance

__all__ = ["NotThatType", "to_value"]

_INTEGER: Final = re.compile(r"[+-]?\d+")
_INTEGER_BITS: Final[dict[type[pl.DataType], int]] = {pl.Int8: 8, pl.Int16: 16, pl.Int32: 32, pl.Int64: 64}
_ISO: Final = 1


class NotThatType(Exception):
    """A value cannot be what its column wants."""

    def __init__(self, *, is_text: bool) -> None:
        self.is_text = is_text
        super().__init__()


def to_value(value: Any, dtype: pl.DataType | DataTypeClass, style: int) -> Any:
    """Converts parsed JSON (numbers as Decimal) to a Python value of a Polars type.

    Raises:
        NotThatType: It cannot be converted.

    Example:
        >>> to_value([Decimal("1"), "2", None], pl.List(pl.Int32), 0)
        [1, 2, None]
        >>> to_value({"a": Decimal("1.5")}, pl.List(pl.Struct({"key": pl.String, "value": pl.Float64})), 0)
        [{'key': 'a', 'value': 1.5}]
    """
    if value is None:
        return None
    kind = instance(dtype)
    if isinstance(kind, pl.List):
        return _list(value, kind, style)
    if isinstance(kind, pl.Struct):
        if not isinstance(value, dict):
            raise NotThatType(is_text=False)
        return {field.name: to_value(value.get(field.name), field.dtype, style) for field in kind.fields}
    if isinstance(kind, pl.String):
        return _text(value)
    if isinstance(kind, pl.Boolean):
        return value if isinstance(value, bool) else str(value).strip().lower() == "true"
    try:
        return _scalar(value, kind, style)
    except (ValueError, ArithmeticError, binascii.Error) as error:
        raise NotThatType(is_text=isinstance(value, str)) from error


def _list(value: Any, kind: pl.List, style: int) -> list[Any]:
    inner = kind.inner
    if isinstance(value, dict) and isinstance(inner, pl.Struct) and [f.name for f in inner.fields] == ["key", "value"]:
        key, item = (field.dtype for field in inner.fields)
        return [{"key": to_value(k, key, style), "value": to_value(v, item, style)} for k, v in value.items()]
    if not isinstance(value, list):
        raise NotThatType(is_text=False)
    return [to_value(item, inner, style) for item in value]


def _text(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, Decimal):
        text = str(value)
    else:
        text = _compact(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotThatType(is_text=True) from error
    return text


def _compact(value: Any) -> str:
    """Returns parsed JSON as text without white space."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_compact(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_compact, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _scalar(value: Any, kind: pl.DataType, style: int) -> Any:
    if isinstance(value, (dict, list, bool)):
        raise ValueError
    if type(kind) in _INTEGER_BITS:
        return _integer(value, type(kind))
    if isinstance(kind, (pl.Float32, pl.Float64)):
        return float(value)
    if isinstance(kind, pl.Decimal):
        number = Decimal(value.strip() if isinstance(value, str) else value)
        rounded = number.quantize(Decimal(1).scaleb(-kind.scale), ROUND_HALF_UP)
        return rounded if len(rounded.as_tuple().digits) <= (kind.precision or 38) else None
    if not isinstance(value, str):
        raise ValueError
    if isinstance(kind, pl.Binary):
        return base64.b64decode(value, validate=True)
    if isinstance(kind, pl.Date):
        return date.fromisoformat(value)
    if isinstance(kind, pl.Time):
        return time.fromisoformat(value)
    if isinstance(kind, pl.Datetime):
        return _moment(value, kind, style)
    raise ValueError


def _integer(value: Any, kind: type[pl.DataType]) -> int:
    bits = _INTEGER_BITS[kind]
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value.strip(), 0) or not value.isascii():
            raise ValueError
        number = int(value)
    else:
        if bits < 32 and value != value.to_integral_value():
            raise ValueError
        if abs(value) >= 1 << 64:
            raise ValueError
        number = int(value)
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise ValueError
    return number


def _moment(value: str, kind: pl.Datetime, style: int) -> datetime:
    zoned = kind.time_zone is not None
    if value.endswith("Z") != zoned or len(value) < 16 or value[10] != ("T" if style == _ISO else " "):
        raise ValueError
    if re.search(r"[+]|-\d\d:", value[11:]):
        raise ValueError
    moment = datetime.fromisoformat(value.removesuffix("Z")[:26])
    return moment.replace(tzinfo=UTC) if zoned else moment
