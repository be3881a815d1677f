"""The page docs/connectors.md, written out of the specs: `python -m yeoul.connectors.page > docs/connectors.md`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from yeoul.connectors.absent import ABSENT_EVERYWHERE, ABSENT_OPTIONS
from yeoul.connectors.options import Option
from yeoul.connectors.registry import CONNECTORS, DECLARED, SHARED_OPTIONS
from yeoul.connectors.spec import ConnectorSpec
from yeoul.formats.options import FORMATS, Format
from yeoul.units import format_size, parse_duration_ms, parse_size_bytes

__all__ = ["page"]

_HEAD = """# Connectors and formats

Each option of Flink's that a table's WITH clause may hold, and what it is here: done, or refused with its reason. An
option that is on this page in neither way is refused when the table is declared, with the nearest name that there is.
This page is written out of what that check goes by (`python -m yeoul.connectors.page > docs/connectors.md`); a test
holds the two together, and both to the list of Flink's own options (`tests/flink/options.tsv`, as the factories of
Flink 2.3 and the pages and factories of its connectors tell them).

Options that Flink does not have are marked *own*; durations are written as in `10 s`, sizes as in `128 MB`.
`/*+ OPTIONS('name' = 'value') */` behind a table's name in a query gives any of them for that query.

"""
_FORMAT_HEAD = """## Formats

`'format' = 'json'` and then `'json.ignore-parse-errors' = 'true'`: an option of a format stands behind its name. For
a topic's key it is `'key.format' = 'json'` and `'key.json.ignore-parse-errors'`; `'value.format'` is another name of
`'format'`. Not here: avro, avro-confluent, protobuf, orc, canal-json, maxwell-json, ogg-json, debezium-avro-confluent.
"""
_FORMAT_OPTIONS = {
    "format": "What a record, or a file, is.",
    "value.format": "Another name of `format`.",
    "key.format": "What a record's key is.",
}


def page() -> str:
    """Returns the text of docs/connectors.md."""
    parts = [_HEAD + "## Every connector\n\n" + _options(SHARED_OPTIONS, {}, ABSENT_EVERYWHERE)]
    parts += [_connector(CONNECTORS[name]) for name in DECLARED]
    parts.append(_FORMAT_HEAD)
    parts += [_format(name, one) for name, one in FORMATS.items()]
    return "\n".join(parts)


def _connector(spec: ConnectorSpec) -> str:
    formats = "any that a record can have" if spec.formats is None else ", ".join(spec.formats)
    told = f" Formats: {formats}." if spec.format_options else ""
    metadata = f"\nMetadata: {', '.join(f'`{key}`' for key in spec.metadata)}.\n" if spec.metadata else ""
    named = {name: _FORMAT_OPTIONS[name] for name in spec.format_options}
    table = _options(spec.options, named, ABSENT_OPTIONS.get(spec.name, {}))
    return f"## {spec.name}\n\n{spec.doc}{told}\n{metadata}\n{table}"


def _options(options: Iterable[Option[Any]], formats: Mapping[str, str], absent: Mapping[str, str]) -> str:
    rows = [(f"`{name}`", doc) for name, doc in formats.items()]
    rows += [(f"`{option.name}`{' *own*' if option.is_own else ''}", _told(option)) for option in options]
    return _table(rows, absent)


def _told(option: Option[Any]) -> str:
    if option.required:
        return f"Required. {option.doc}"
    shown = _default(option)
    return f"{option.doc} Default `{shown}`." if shown else option.doc


def _default(option: Option[Any]) -> str:
    if isinstance(option.default, bool):
        return str(option.default).lower()
    if option.default in (None, "", ()):
        return ""
    if option.parse is parse_size_bytes:
        return format_size(option.default)
    return f"{option.default:,} ms" if option.parse is parse_duration_ms else str(option.default)


def _format(name: str, one: Format) -> str:
    rows = [(f"`{name}.{option}`", f"{each.doc} Default `{each.default}`.") for option, each in one.options.items()]
    absent = {f"{name}.{option}": reason for option, reason in one.absent.items()}
    metadata = f"\nMetadata: {', '.join(f'`value.{key}`' for key in one.metadata)}.\n" if one.metadata else ""
    return f"### {name}\n\n{one.doc}\n{metadata}\n{_table(rows, absent)}"


def _table(rows: Iterable[tuple[str, str]], absent: Mapping[str, str]) -> str:
    lines = [f"| {name} | {told} |" for name, told in rows]
    lines += [f"| `{name}` | Refused: {reason}. |" for name, reason in absent.items()]
    return "\n".join(("| option | what it is |", "| --- | --- |", *lines)) + "\n" if lines else "It has no options.\n"


if __name__ == "__main__":
    print(page(), end="")
