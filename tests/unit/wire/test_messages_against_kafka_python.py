"""Every message in every version: our bytes are kafka-python's bytes, and each side reads what the other wrote.

kafka-python (https://github.com/dpkp/kafka-python) compiles Kafka's own JSON definitions by its own code, so it is a
second oracle beside kio. What it does not have is listed in `ABSENT`; a table that is added here is compared at once,
or has to be named there.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
import uuid

import kafka.protocol
import pytest
from kafka.protocol.api_message import ApiMessage

from yeoul.wire.schema import Api, Field, Message

from .random_messages import all_apis, some_message

EXAMPLES = 12
SEED = 17

ABSENT = {
    f"{name} {side}"
    for name in ("ConsumerGroupDescribe", "ConsumerGroupHeartbeat", "UnregisterBroker")
    for side in ("request", "response")
}
"""What kafka-python has not, or not in our newest version; kio has all of it."""


def their_classes() -> dict[tuple[int, str], type[ApiMessage]]:
    """Every request and response that kafka-python defines."""
    found: dict[tuple[int, str], type[ApiMessage]] = {}
    for module in pkgutil.walk_packages(kafka.protocol.__path__, "kafka.protocol."):
        if any(word in module.name for word in (".old", ".schemas", "generate")):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, ApiMessage) and value is not ApiMessage:
                found[value.API_KEY, value.type] = value
    return found


THEIRS = their_classes()
APIS = all_apis()


def cases() -> list[object]:
    return [
        pytest.param(api, version, side, id=f"{api.name}-{version}-{side}")
        for api in APIS
        for side in ("request", "response")
        if (theirs := THEIRS.get((api.key, side))) is not None
        for version in range(api.first_version, min(api.last_version, theirs.max_version) + 1)
    ]


def plain(value: object, kind: str, their_name: str) -> object:
    """A value of ours in the types that kafka-python takes and gives."""
    if isinstance(value, list):
        return [plain(each, kind, their_name) for each in value]
    if kind == "16s":
        assert isinstance(value, bytes)
        return uuid.UUID(bytes=value)
    if their_name == "authorized_operations":
        assert isinstance(value, int)
        bits = {bit for bit in range(32) if value >> bit & 1}
        return None if bits == {31} else bits
    return value


def to_theirs(message: Message, kind: type, version: int) -> object:
    """Their object with our values, field by field in the order of the definition.

    A tagged field that has its default is left to them, as they write each one that they were given.
    """
    present = [(name, field) for name, field in message.FIELDS.items() if version in field.versions]
    wanted = [field for field in kind._struct._fields if field.for_version_q(version)]
    values = {}
    for (name, field), their in zip(present, wanted, strict=True):
        # Their own name for one field; the bytes say that it is the same.
        assert their.name == name or (their.name == "authorized_operations" and name.endswith(their.name))
        value = getattr(message, name)
        default = field.item() if field.kind == "struct" else field.default
        if field.tag is not None and value == default:
            continue
        if isinstance(value, Message):
            value = to_theirs(value, getattr(kind, their.type_str), version)
        elif isinstance(value, list) and isinstance(field.item, type):
            value = [to_theirs(each, getattr(kind, their.type_str), version) for each in value]
        else:
            value = plain(value, field.item.kind if isinstance(field.item, Field) else field.kind, their.name)
        values[their.name] = value
    return kind(version=version, **values)


@pytest.mark.parametrize(("api", "version", "side"), cases())
def test_our_bytes_are_kafka_pythons_bytes(api: Api[Message, Message], version: int, side: str) -> None:
    chance = random.Random(f"{SEED}:{api.name}:{version}:{side}")
    theirs = THEIRS[api.key, side]
    encode = api.encode_request if side == "request" else api.encode_response
    decode = api.decode_request if side == "request" else api.decode_response
    for _ in range(EXAMPLES):
        message = some_message(chance, getattr(api, side), version)
        ours = bytes(encode(message, version))
        same = to_theirs(message, theirs, version)
        assert same.encode(version=version) == ours
        if not (api.name == "ApiVersions" and side == "response" and message.error_code):
            # They read each refusal of ApiVersions in version 0, as a client does.
            assert theirs.decode(ours, version=version).to_dict() == same.to_dict()
        assert decode(ours, version) == message


def test_what_kafka_python_lacks_is_named() -> None:
    lacking = {
        f"{api.name} {side}"
        for api in APIS
        for side in ("request", "response")
        if (theirs := THEIRS.get((api.key, side))) is None or theirs.max_version < api.last_version
    }
    assert lacking == ABSENT
