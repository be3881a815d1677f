"""Logical SQL types, as Flink SQL names them.

A `DataType` is a value: frozen, hashable, comparable. How a type lies in memory is decided elsewhere
(`yeoul.engine.compile.dtypes`); nothing here knows a library.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/types/
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

__all__ = [
    "BIGINT",
    "BITMAP",
    "BOOLEAN",
    "BYTES",
    "DATE",
    "DOUBLE",
    "FLOAT",
    "INT",
    "INTERVAL_DAY_TIME",
    "INTERVAL_YEAR_MONTH",
    "NULL",
    "SMALLINT",
    "STRING",
    "TINYINT",
    "VARIANT",
    "DataType",
    "Kind",
    "RowField",
    "array_of",
    "decimal",
    "map_of",
    "row_of",
    "time",
    "timestamp",
    "timestamp_ltz",
]


class Kind(enum.Enum):
    """The families of types; the value is the SQL keyword."""

    BOOLEAN = "BOOLEAN"
    TINYINT = "TINYINT"
    SMALLINT = "SMALLINT"
    INT = "INT"
    BIGINT = "BIGINT"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    DECIMAL = "DECIMAL"
    STRING = "STRING"
    BYTES = "BYTES"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    TIMESTAMP_LTZ = "TIMESTAMP_LTZ"
    INTERVAL_DAY_TIME = "INTERVAL DAY TO SECOND"
    INTERVAL_YEAR_MONTH = "INTERVAL YEAR TO MONTH"
    ARRAY = "ARRAY"
    MAP = "MAP"
    ROW = "ROW"
    BITMAP = "BITMAP"
    VARIANT = "VARIANT"
    NULL = "NULL"


_INTEGERS = frozenset({Kind.TINYINT, Kind.SMALLINT, Kind.INT, Kind.BIGINT})
_FLOATS = frozenset({Kind.FLOAT, Kind.DOUBLE})
_TIMESTAMPS = frozenset({Kind.TIMESTAMP, Kind.TIMESTAMP_LTZ})


@dataclass(frozen=True, slots=True)
class DataType:
    """One SQL type.

    Attributes:
        kind: The family.
        nullable: Whether NULL is a value of it.
        precision: DECIMAL's digits; the fractional digits of TIME and TIMESTAMP; the length of CHAR, VARCHAR,
            BINARY and VARBINARY (None for STRING and BYTES, which are unbounded).
        scale: DECIMAL's digits after the point.
        element: The element type of ARRAY, the value type of MAP.
        key: The key type of MAP.
        fields: The fields of ROW.
        fixed: Whether each value has all of `precision`: CHAR is padded with blanks, BINARY with zeros.

    Example:
        >>> str(decimal(10, 2)), str(timestamp(3).not_null()), str(array_of(INT))
        ('DECIMAL(10, 2)', 'TIMESTAMP(3) NOT NULL', 'ARRAY<INT>')
    """

    kind: Kind
    nullable: bool = True
    precision: int | None = None
    scale: int | None = None
    element: DataType | None = None
    key: DataType | None = None
    fields: tuple[RowField, ...] = ()
    fixed: bool = False

    def not_null(self) -> DataType:
        """Returns the same type without NULL."""
        return replace(self, nullable=False)

    def or_null(self, nullable: bool = True) -> DataType:
        """Returns the same type, nullable if `nullable`."""
        return replace(self, nullable=nullable)

    def same_as(self, other: DataType) -> bool:
        """Tells whether two types agree in all but nullability."""
        return replace(self, nullable=True) == replace(other, nullable=True)

    @property
    def is_integer(self) -> bool:
        return self.kind in _INTEGERS

    @property
    def is_float(self) -> bool:
        return self.kind in _FLOATS

    @property
    def is_numeric(self) -> bool:
        return self.is_integer or self.is_float or self.kind is Kind.DECIMAL

    @property
    def is_timestamp(self) -> bool:
        """TIMESTAMP or TIMESTAMP_LTZ: what can be a row time."""
        return self.kind in _TIMESTAMPS

    @property
    def is_interval(self) -> bool:
        return self.kind in (Kind.INTERVAL_DAY_TIME, Kind.INTERVAL_YEAR_MONTH)

    def __str__(self) -> str:
        return self._name() + ("" if self.nullable or self.kind is Kind.NULL else " NOT NULL")

    def _name(self) -> str:
        match self.kind:
            case Kind.DECIMAL:
                return f"DECIMAL({self.precision}, {self.scale})"
            case Kind.TIME | Kind.TIMESTAMP | Kind.TIMESTAMP_LTZ:
                return f"{self.kind.value}({self.precision})"
            case Kind.STRING if self.precision is not None:
                return f"CHAR({self.precision})" if self.fixed else f"VARCHAR({self.precision})"
            case Kind.BYTES if self.precision is not None:
                return f"BINARY({self.precision})" if self.fixed else f"VARBINARY({self.precision})"
            case Kind.ARRAY:
                return f"ARRAY<{self.element}>"
            case Kind.MAP:
                return f"MAP<{self.key}, {self.element}>"
            case Kind.ROW:
                return f"ROW<{', '.join(f'{field.name} {field.type}' for field in self.fields)}>"
            case kind:
                return str(kind.value)


@dataclass(frozen=True, slots=True)
class RowField:
    """One named field of a ROW type."""

    name: str
    type: DataType


BOOLEAN = DataType(Kind.BOOLEAN)
TINYINT = DataType(Kind.TINYINT)
SMALLINT = DataType(Kind.SMALLINT)
INT = DataType(Kind.INT)
BIGINT = DataType(Kind.BIGINT)
FLOAT = DataType(Kind.FLOAT)
DOUBLE = DataType(Kind.DOUBLE)
STRING = DataType(Kind.STRING)
BYTES = DataType(Kind.BYTES)
BITMAP = DataType(Kind.BITMAP)
VARIANT = DataType(Kind.VARIANT)
DATE = DataType(Kind.DATE)
INTERVAL_DAY_TIME = DataType(Kind.INTERVAL_DAY_TIME)
INTERVAL_YEAR_MONTH = DataType(Kind.INTERVAL_YEAR_MONTH)
NULL = DataType(Kind.NULL)


def decimal(precision: int, scale: int = 0) -> DataType:
    """Returns DECIMAL(precision, scale); 1 to 38 digits."""
    return DataType(Kind.DECIMAL, precision=precision, scale=scale)


def time(precision: int = 0) -> DataType:
    """Returns TIME(precision), in fractional digits of a second."""
    return DataType(Kind.TIME, precision=precision)


def timestamp(precision: int = 6) -> DataType:
    """Returns TIMESTAMP(precision): a wall-clock reading without a zone."""
    return DataType(Kind.TIMESTAMP, precision=precision)


def timestamp_ltz(precision: int = 6) -> DataType:
    """Returns TIMESTAMP_LTZ(precision): an instant."""
    return DataType(Kind.TIMESTAMP_LTZ, precision=precision)


def array_of(element: DataType) -> DataType:
    """Returns ARRAY<element>."""
    return DataType(Kind.ARRAY, element=element)


def map_of(key: DataType, value: DataType) -> DataType:
    """Returns MAP<key, value>."""
    return DataType(Kind.MAP, key=key, element=value)


def row_of(*fields: RowField) -> DataType:
    """Returns ROW<fields>."""
    return DataType(Kind.ROW, fields=fields)
