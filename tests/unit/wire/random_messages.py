"""Every message table there is, found by looking; and random messages of any of them."""

from __future__ import annotations

import importlib
import pkgutil
import random

import yeoul.wire.messages
from yeoul.wire.schema import Api, Field, Message

BITS = {"b": 8, "h": 16, "i": 32, "q": 64}


def all_apis() -> list[Api[Message, Message]]:
    modules = [
        importlib.import_module(f"yeoul.wire.messages.{module.name}")
        for module in pkgutil.iter_modules(yeoul.wire.messages.__path__)
    ]
    return [value for module in modules for value in vars(module).values() if isinstance(value, Api)]


def some_value(chance: random.Random, field: Field, version: int) -> object:
    if version in field.null and chance.random() < 0.2:
        return None
    match field.kind:
        case "?":
            return chance.random() < 0.5
        case "d":
            return chance.random()
        case "H":
            return chance.getrandbits(16)
        case "16s":
            return chance.randbytes(16)
        case "string":
            return "".join(chance.choices("s\u00e9\u6c34\U0001f30a", k=chance.randint(0, 8)))
        case "bytes" | "records":
            return chance.randbytes(chance.randint(0, 140))
        case "struct":
            assert isinstance(field.item, type)
            return some_message(chance, field.item, version)
        case "array":
            item = field.item
            if isinstance(item, Field):
                return [some_value(chance, item, version) for _ in range(chance.randint(0, 3))]
            assert item is not None
            return [some_message(chance, item, version) for _ in range(chance.randint(0, 3))]
    bits = BITS[field.kind]
    return chance.choice([0, -1, 1, chance.getrandbits(bits) - (1 << (bits - 1))])


def some_message(chance: random.Random, kind: type[Message], version: int) -> Message:
    fields = {name: field for name, field in kind.FIELDS.items() if version in field.versions}
    return kind(**{name: some_value(chance, field, version) for name, field in fields.items()})
