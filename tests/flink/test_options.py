"""Every option of Flink's connectors and formats is done, or refused with its reason; docs/connectors.md says which."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from yeoul.connectors.absent import ABSENT_EVERYWHERE, ABSENT_OPTIONS
from yeoul.connectors.page import page
from yeoul.connectors.registry import CONNECTORS, DECLARED, SHARED_OPTIONS, check_options
from yeoul.errors import UserError
from yeoul.formats.options import FORMATS

OF_FLINK = list(csv.reader(Path(__file__).with_name("options.tsv").open(), delimiter="\t"))[1:]
SHARED = {option.name for option in SHARED_OPTIONS}


def done(kind: str, of: str) -> set[str]:
    if kind == "format":
        return set(FORMATS[of].options)
    if of == "*":
        return SHARED
    return {option.name for option in CONNECTORS[of].options} | set(CONNECTORS[of].format_options)


def refused(kind: str, of: str) -> set[str]:
    if kind == "format":
        return set(FORMATS[of].absent)
    return set(ABSENT_EVERYWHERE if of == "*" else ABSENT_OPTIONS.get(of, {}))


def of_flink(kind: str, of: str) -> set[str]:
    return {option for one, name, option in OF_FLINK if (one, name) == (kind, of)}


EACH = [("connector", of) for of in ("*", *DECLARED)] + [("format", of) for of in FORMATS]


@pytest.mark.parametrize(("kind", "of"), EACH)
def test_each_option_of_flink_is_done_or_refused_with_a_reason(kind, of):
    theirs = of_flink(kind, of) - {"properties.group.id"} - (SHARED if of != "*" else set())
    own = {option.name for option in CONNECTORS[of].options if option.is_own} if of in CONNECTORS else set()
    assert theirs - done(kind, of) == refused(kind, of) - {"scan.startup.mode"}
    assert done(kind, of) - theirs == own


def test_the_page_is_written_out_of_the_specs():
    written = Path(__file__).parents[2].joinpath("docs", "connectors.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m yeoul.connectors.page > docs/connectors.md"


TABLES = {
    "filesystem": {"path": "/nowhere", "format": "json"},
    "kafka": {"topic": "t", "properties.bootstrap.servers": "h:1", "format": "json"},
    "upsert-kafka": {
        "topic": "t",
        "properties.bootstrap.servers": "h:1",
        "key.format": "json",
        "value.format": "json",
    },
    "jdbc": {"url": "jdbc:sqlite:/nowhere", "table-name": "t"},
    "datagen": {},
    "print": {},
    "blackhole": {},
}


@pytest.mark.parametrize("of", DECLARED)
def test_an_option_that_nobody_has_is_refused_with_a_hint(of):
    for name, hint in {"no.such-option": "", **ABSENT_OPTIONS.get(of, {}), **ABSENT_EVERYWHERE}.items():
        with pytest.raises(UserError) as caught:
            check_options({"connector": of, **TABLES[of], name: "true"}, [])
        assert caught.value.message == f"Unknown option {name!r} for connector {of!r}"
        assert caught.value.hint == hint if hint else caught.value.hint


@pytest.mark.parametrize("of", FORMATS)
def test_an_option_that_no_format_has_is_refused_with_a_hint(of):
    for name, hint in {"no.such-option": "", **FORMATS[of].absent}.items():
        with pytest.raises(UserError) as caught:
            check_options({"connector": "filesystem", "path": "/nowhere", "format": of, f"{of}.{name}": "true"}, [])
        assert caught.value.message == f"Unknown option '{of}.{name}'"
        assert caught.value.hint == hint if hint else caught.value.hint
