"""Every message in every version: our bytes are kio's bytes, and what we encode we decode.

kio (a package on PyPI) is generated from Kafka's own message definitions, so agreement with it, field by
field and name by name, is agreement with Kafka.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import io
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode as KioErrorCode
from kio.serial import entity_reader, entity_writer

from yeoul.wire.errors import ErrorCode
from yeoul.wire.schema import ZERO_UUID, Api, Field, Message

from .random_messages import all_apis

FINITE = {"b": 8, "h": 16, "i": 32, "q": 64}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


APIS = all_apis()
CASES = [
    pytest.param(api, version, side, id=f"{api.name}-{version}-{side}")
    for api in APIS
    for version in range(api.first_version, api.last_version + 1)
    for side in ("request", "response")
]


def kio_class(api: Api[Message, Message], version: int, side: str) -> type:
    kind: type[Message] = getattr(api, side)
    folder = kind.__module__.rpartition(".")[2]
    module = importlib.import_module(f"kio.schema.{folder}.v{version}.{side}")
    found: type = getattr(module, kind.__name__)
    return found


def present_fields(kind: type[Message], version: int) -> list[tuple[str, Field]]:
    return [(name, field) for name, field in kind.FIELDS.items() if version in field.versions]


def kio_fields(kio_kind: type) -> list[dataclasses.Field[object]]:
    return list(dataclasses.fields(kio_kind))


def item_class(annotation: object) -> type | None:
    """The dataclass inside `tuple[X, ...] | None`, if there is one."""
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and dataclasses.is_dataclass(candidate):
            return candidate
        for inner in getattr(candidate, "__args__", ()):
            if isinstance(inner, type) and dataclasses.is_dataclass(inner):
                return inner
    return None


def values(field: Field, version: int, kafka_type: str, kio_item: type | None) -> st.SearchStrategy[object]:
    match field.kind:
        case "?":
            plain: st.SearchStrategy[object] = st.booleans()
        case "d":
            plain = st.floats(allow_nan=False)
        case "H":
            plain = st.integers(0, 2**16 - 1)
        case "16s":
            plain = st.binary(min_size=16, max_size=16)
        case "string":
            plain = st.text(max_size=10)
        case "bytes" | "records":
            plain = st.binary(max_size=150)
        case "struct":
            assert isinstance(field.item, type)
            assert kio_item is not None
            plain = messages(field.item, version, kio_item)
        case "array":
            if isinstance(field.item, type):
                assert kio_item is not None
                plain = st.lists(messages(field.item, version, kio_item), max_size=3)
            else:
                assert field.item is not None
                plain = st.lists(values(field.item, version, kafka_type, None), max_size=5)
        case _ if kafka_type == "error_code":
            plain = st.sampled_from([code.value for code in KioErrorCode])
        case _ if kafka_type == "datetime_i64":
            plain = st.integers(0, 2**42)
        case _ if kafka_type.startswith("timedelta"):
            plain = st.integers(-(2**31), 2**31 - 1)
        case _:
            bits = FINITE[field.kind]
            plain = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return st.none() | plain if version in field.null else plain


def messages(kind: type[Message], version: int, kio_kind: type) -> st.SearchStrategy[Message]:
    ours, theirs = present_fields(kind, version), kio_fields(kio_kind)
    assert [name.removesuffix("_ms") for name, _ in ours] == [each.name.removesuffix("_ms") for each in theirs]
    return st.builds(
        kind,
        **{
            name: values(field, version, str(their.metadata.get("kafka_type", "")), item_class(their.type))
            for (name, field), their in zip(ours, theirs, strict=True)
        },
    )


def to_kio(value: object, field: Field, kafka_type: str, kio_item: type | None, version: int) -> object:
    if value is None:
        return None
    if isinstance(value, Message):
        assert kio_item is not None
        pairs = zip(present_fields(type(value), version), kio_fields(kio_item), strict=True)
        return kio_item(
            **{
                their.name: to_kio(
                    getattr(value, name),
                    each,
                    str(their.metadata.get("kafka_type", "")),
                    item_class(their.type),
                    version,
                )
                for (name, each), their in pairs
            }
        )
    if isinstance(value, list):
        item = field.item if isinstance(field.item, Field) else field
        return tuple(to_kio(each, item, kafka_type, kio_item, version) for each in value)
    match kafka_type:
        case "error_code":
            return KioErrorCode(value)
        case "timedelta_i32" | "timedelta_i64":
            return datetime.timedelta(milliseconds=value)  # type: ignore[arg-type]
        case "datetime_i64":
            return EPOCH + datetime.timedelta(milliseconds=value)  # type: ignore[arg-type]
        case "uuid":
            return None if value == ZERO_UUID else uuid.UUID(bytes=value)  # type: ignore[arg-type]
    return value


@pytest.mark.parametrize(("api", "version", "side"), CASES)
@settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.data())
def test_our_bytes_are_kios_bytes(api: Api[Message, Message], version: int, side: str, drawn: st.DataObject) -> None:
    kio_kind = kio_class(api, version, side)
    message = drawn.draw(messages(getattr(api, side), version, kio_kind))
    encoded = (api.encode_request if side == "request" else api.encode_response)(message, version)
    expected = io.BytesIO()
    theirs = to_kio(message, Field("struct", *[None] * 4), "", kio_kind, version)  # type: ignore[arg-type]
    entity_writer(kio_kind)(expected, theirs)
    assert bytes(encoded) == expected.getvalue()
    decode = api.decode_request if side == "request" else api.decode_response
    assert decode(encoded, version) == message
    read = entity_reader(kio_kind)(bytes(encoded), 0)
    assert read[0] == theirs


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_flexible_versions_and_keys_agree_with_kio(api: Api[Message, Message]) -> None:
    for version in range(api.first_version, api.last_version + 1):
        kio_kind = kio_class(api, version, "request")
        assert (kio_kind.__api_key__, kio_kind.__flexible__) == (api.key, api.is_flexible(version))  # type: ignore[attr-defined]


def test_error_codes_and_what_may_be_retried_agree_with_kio() -> None:
    assert {code.name.lower(): (int(code), code.retriable) for code in ErrorCode} == {
        code.name: (int(code.value), code.retriable) for code in KioErrorCode
    }
