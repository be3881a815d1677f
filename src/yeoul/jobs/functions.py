"""The functions that a session knows: declared Python functions under their SQL names, with their types read.

Those that CREATE FUNCTION names by their path are kept in the stored catalog, if there is one, and imported when a
statement first calls them: one that cannot be imported any more harms no other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from yeoul.errors import UserError, did_you_mean
from yeoul.functions import FunctionKind, PythonFunction, load_function, remember
from yeoul.plan.functions import is_aggregate, is_scalar
from yeoul.plan.functions.python import FunctionDefinition
from yeoul.plan.types import array_of
from yeoul.planner.sql import read_type

__all__ = ["Functions"]

_numbers = itertools.count(1)


class FunctionStore(Protocol):
    """Where functions survive the session."""

    def functions(self) -> dict[str, tuple[str, str]]: ...

    def put_function(self, name: str, path: str) -> None: ...

    def remove_function(self, name: str) -> None: ...


class _Known(Mapping[str, FunctionDefinition]):
    """The session's own functions, then those that are stored, each imported when it is asked for."""

    def __init__(self, own: Mapping[str, FunctionDefinition], stored: Mapping[str, tuple[str, str]]) -> None:
        self._own, self._stored = own, stored

    def __getitem__(self, name: str) -> FunctionDefinition:
        if name in self._own:
            return self._own[name]
        written, path = self._stored[name]
        try:
            return _definition(written, path, load_function(path))
        except UserError as error:
            message = f"The function {written!r} of the stored catalog cannot be loaded: {error.message}"
            raise UserError(message, hint=error.hint) from None

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter({**self._own, **self._stored})

    def __len__(self) -> int:
        return len({**self._own, **self._stored})


class Functions:
    """Names, in any case, and what they mean. A failed change changes nothing.

    Args:
        stored: Where those that are named by a path are kept; None: they end with the session.
    """

    def __init__(self, stored: FunctionStore | None = None) -> None:
        self._definitions: dict[str, FunctionDefinition] = {}
        self._stored = stored

    @property
    def definitions(self) -> Mapping[str, FunctionDefinition]:
        """The functions by their names in upper case."""
        return _Known(self._definitions, {} if self._stored is None else self._stored.functions())

    def names(self) -> list[str]:
        """Returns the functions' names as they were created, sorted."""
        stored = {} if self._stored is None else self._stored.functions()
        written = {key: name for key, (name, _) in stored.items()}
        return sorted({**written, **{key: one.name for key, one in self._definitions.items()}}.values())

    def is_temporary(self, name: str) -> bool:
        """Whether a function that is there ends with the session."""
        return name.upper() in self._definitions

    def create(
        self,
        name: str,
        function: PythonFunction | str,
        *,
        if_not_exists: bool = False,
        or_replace: bool = False,
        temporary: bool = False,
    ) -> bool:
        """Makes a function known; returns whether it is new.

        Args:
            name: What SQL calls it.
            function: A declared function, or `module.name` of one.
            if_not_exists: Whether one that is there already stays.
            or_replace: Whether it takes the place of one that is there.
            temporary: Whether it ends with the session although it has a path.

        Raises:
            UserError: The name is taken or built in, the function cannot be imported, or its types are none.
        """
        if is_scalar(name) or is_aggregate(name):
            raise UserError(f"{name.upper()} is a built-in function", hint="Give the function another name.")
        if name.upper() in self.definitions and not or_replace:
            if if_not_exists:
                return False
            raise UserError(f"The function {name!r} exists already", hint="DROP FUNCTION, or CREATE OR REPLACE it.")
        key = function if isinstance(function, str) else f"session.{name}#{next(_numbers)}"
        found = load_function(function) if isinstance(function, str) else function
        if not isinstance(found, PythonFunction):
            raise UserError(f"{found!r} is no declared function", hint="Declare it with udf, udtf or udaf.")
        found = replace(found, name=name) if found.name == "<lambda>" else found
        made = _definition(name, key, found)
        if self._stored is not None and isinstance(function, str) and not temporary:
            self._stored.put_function(name, function)
            self._definitions.pop(name.upper(), None)
        else:
            self._definitions[name.upper()] = made
        remember(key, found)
        return True

    def drop(self, name: str, *, if_exists: bool = False) -> bool:
        """Forgets a function; returns whether it was there.

        Raises:
            UserError: There is none, and `if_exists` does not say that this is well.
        """
        if self._definitions.pop(name.upper(), None) is not None:
            return True
        if self._stored is not None and name.upper() in self._stored.functions():
            self._stored.remove_function(name)
            return True
        if if_exists:
            return False
        raise UserError(f"Unknown function {name!r}", hint=did_you_mean(name.upper(), self.definitions))


def _definition(name: str, key: str, function: PythonFunction) -> FunctionDefinition:
    types = None if function.input_types is None else tuple(read_type(one) for one in function.input_types)
    result = read_type(function.result_type)
    if function.kind is FunctionKind.TABLE:
        result = array_of(result)
    return FunctionDefinition(name, key, function.kind.value, types, result, function.deterministic)
