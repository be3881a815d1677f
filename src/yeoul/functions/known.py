"""The declared functions of this process by the keys that plans hold, and which of them are open."""

from __future__ import annotations

import atexit
import importlib
import threading

from yeoul.errors import UserError
from yeoul.functions.bases import FunctionContext
from yeoul.functions.coroutines import FAILURES
from yeoul.functions.declaring import PythonFunction

__all__ = ["find_function", "load_function", "opened", "remember"]

_known: dict[str, PythonFunction] = {}
_open: dict[int, object] = {}
_opening = threading.Lock()


def remember(key: str, function: PythonFunction) -> None:
    """Keeps a declared function under the key that plans hold."""
    _known[key] = function


def find_function(key: str) -> PythonFunction:
    """Returns the function that a plan names by its key; one that nobody has kept is imported by it.

    Raises:
        UserError: There is none.
    """
    return _known[key] if key in _known else load_function(key)


def load_function(path: str) -> PythonFunction:
    """Imports the declared function `module.name` and keeps it.

    Raises:
        UserError: There is no such module, or it has no such declared function.
    """
    module, _, name = path.rpartition(".")
    hint = "The name is that of a function under @udf, @udtf or @udaf, such as 'shop.rules.discount'"
    if not module:
        raise UserError(f"Expected 'module.function', got {path!r}", hint=hint)
    try:
        found = getattr(importlib.import_module(module), name)
    except AttributeError:
        raise UserError(f"The module {module!r} has no {name!r}", hint=hint) from None
    except FAILURES as error:  # whatever a module does when it is imported
        raise UserError(f"Cannot import the module of {path!r}: {error}", hint=hint) from error
    if not isinstance(found, PythonFunction):
        raise UserError(f"{path!r} is no declared function but {type(found).__name__}", hint=hint)
    remember(path, found)
    return found


def opened(function: PythonFunction) -> PythonFunction:
    """Returns the function, whose `open` has been called: once in this process, however many jobs call it.

    Raises:
        Exception: Whatever `open` raises.
    """
    given = function.given
    if id(given) not in _open:
        with _opening:
            if id(given) not in _open:
                getattr(given, "open", _nothing)(FunctionContext())
                _open[id(given)] = given
                atexit.register(getattr(given, "close", _nothing))
    return function


def _nothing(*_: object) -> None:
    """The `open` and the `close` of what has none."""
