"""A ROW as Python functions see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsIndex

__all__ = ["Row"]


class Row(tuple[object, ...]):
    """A ROW's values, by place and by name, as PyFlink's `Row`.

    Example:
        >>> row = Row(name="ann", age=7)
        >>> row[0], row["age"], row.name, row == ("ann", 7), row
        ('ann', 7, 'ann', True, Row(name='ann', age=7))
        >>> Row(1, 2)
        Row(1, 2)
    """

    _fields: tuple[str, ...]

    def __new__(cls, *values: object, **named: object) -> Row:
        if values and named:
            raise ValueError("A Row has values or names with values, not both")
        return cls.of(tuple(named), tuple(named.values())) if named else cls.of((), values)

    @classmethod
    def of(cls, names: Sequence[str], values: Sequence[object]) -> Row:
        """Returns the row of these names (none of a row without names) and values."""
        row = super().__new__(cls, values)
        row._fields = tuple(names)
        return row

    @property
    def has_names(self) -> bool:
        """Whether its values have names."""
        return bool(self._fields)

    def as_dict(self, recursive: bool = False) -> dict[str, object]:
        """Returns the values by name; with `recursive` those of the rows within, too."""
        if not self._fields:
            raise TypeError("A Row without names is no dict")
        values = (one.as_dict(True) if recursive and isinstance(one, Row) else one for one in self)
        return dict(zip(self._fields, values, strict=True))

    def __getitem__(self, at: object) -> object:  # type: ignore[override]
        place: SupportsIndex | slice = self._place(at) if isinstance(at, str) else at  # type: ignore[assignment]
        return super().__getitem__(place)

    def __getattr__(self, name: str) -> object:
        if name in self.__dict__.get("_fields", ()):
            return self[name]
        raise AttributeError(f"This Row has no field {name!r}, but {', '.join(self.__dict__.get('_fields', ()))}")

    def __reduce__(self) -> tuple[object, ...]:
        return Row.of, (self._fields, tuple(self))

    def __repr__(self) -> str:
        names = [f"{name}=" for name in self._fields] or [""] * len(self)
        return f"Row({', '.join(f'{name}{value!r}' for name, value in zip(names, self, strict=True))})"

    def _place(self, name: str) -> int:
        if name not in self._fields:
            raise KeyError(name)
        return self._fields.index(name)
