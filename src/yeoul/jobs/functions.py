"""The functions that a session knows: declared Python functions under their SQL names, with their types read."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from yeoul.errors import UserError, did_you_mean
from yeoul.functions import FunctionKind, PythonFunction, load_function, remember
from yeoul.plan.functions import is_aggregate, is_scalar
from yeoul.plan.functions.python import FunctionDefinition
from yeoul.plan.types import array_of
from yeoul.planner.sql import read_type

__all__ = ["Functions"]

_numbers = itertools.count(1)


class Functions:
    """Names, in any case, and what they mean. A failed change changes nothing."""

    def __init__(self) -> None:
        self._definitions: dict[str, FunctionDefinition] = {}

    @property
    def definitions(self) -> Mapping[str, FunctionDefinition]:
        """The functions by their names in upper case."""
        return MappingProxyType(self._definitions)

    def create(
        self,
        name: str,
        function: PythonFunction | str,
        *,
        if_not_exists: bool = False,
        or_replace: bool = False,
    ) -> bool:
        """Makes a function known; returns whether it is new.

        Args:
            name: What SQL calls it.
            function: A declared function, or `module.name` of one.
            if_not_exists: Whether one that is there already stays.
            or_replace: Whether it takes the place of one that is there.

        Raises:
            UserError: The name is taken or built in, the function cannot be imported, or its types are none.
        """
        if is_scalar(name) or is_aggregate(name):
            raise UserError(f"{name.upper()} is a built-in function", hint="Give the function another name.")
        if name.upper() in self._definitions and not or_replace:
            if if_not_exists:
                return False
            raise UserError(f"The function {name!r} exists already", hint="DROP FUNCTION, or CREATE OR REPLACE it.")
        key = function if isinstance(function, str) else f"session.{name}#{next(_numbers)}"
        found = load_function(function) if isinstance(function, str) else function
        if not isinstance(found, PythonFunction):
            raise UserError(f"{found!r} is no declared function", hint="Declare it with udf, udtf or udaf.")
        found = replace(found, name=name) if found.name == "<lambda>" else found
        self._definitions[name.upper()] = _definition(name, key, found)
        remember(key, found)
        return True

    def drop(self, name: str, *, if_exists: bool = False) -> bool:
        """Forgets a function; returns whether it was there.

        Raises:
            UserError: There is none, and `if_exists` does not say that this is well.
        """
        if self._definitions.pop(name.upper(), None) is not None:
            return True
        if if_exists:
            return False
        raise UserError(f"Unknown function {name!r}", hint=did_you_mean(name.upper(), self._definitions))


def _definition(name: str, key: str, function: PythonFunction) -> FunctionDefinition:
    types = None if function.input_types is None else tuple(read_type(one) for one in function.input_types)
    result = read_type(function.result_type)
    if function.kind is FunctionKind.TABLE:
        result = array_of(result)
    return FunctionDefinition(name, key, function.kind.value, types, result, function.deterministic)
