"""Expressions over topic names mean what they mean to RE2, and none of them can hold up the broker."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yeoul.broker.groups.consumer.topic_pattern import PatternRefused, TopicPattern

PIECES = [
    *"ab1.-_",
    r"\.",
    r"\w",
    r"\d",
    r"\D",
    "[a-c]",
    "[^a]",
    "[]a-]",
    "(?:ab|c)",
    "(?i:A)",
    "(a|)",
    r"\b",
    "^",
    "$",
]
expressions = st.lists(
    st.tuples(st.sampled_from(PIECES), st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "*?", "|"])), max_size=6
).map(lambda pieces: "".join(piece + sign for piece, sign in pieces if piece not in ("^", "$", r"\b") or not sign))


@given(expression=expressions, name=st.text("ab1.-_AC", max_size=6))
def test_the_common_language_means_the_same_as_in_python(expression: str, name: str) -> None:
    assert TopicPattern.parse(expression).matches(name) == bool(re.fullmatch(expression, name))


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        (r"\Qa.b\E-\d", "a.b-1"),
        ("[[:alpha:]]+", "abc"),
        (r"\pL+\p{Nd}", "ab1"),
        ("(?i)ORDERS", "orders"),
        ("a{,2}|b", "b"),
    ],
)
def test_what_only_re2_has_is_understood(expression: str, name: str) -> None:
    assert TopicPattern.parse(expression).matches(name)
    assert not TopicPattern.parse(expression).matches(name + ".x")


@pytest.mark.parametrize(
    "expression",
    [
        "(",
        "a)",
        "*a",
        "[a",
        "a**",
        "(?=a)",
        "(?<!a)",
        r"\1",
        "a{1001}",
        "((a{1000}){1000}){1000}",
        "\\",
        "(?>a)",
        "a" * 1001,
        "(" * 200 + ")" * 200,
        "[z-a]",
        "(?P<>a)",
        r"\p{Klingon}",
    ],
)
def test_what_re2_would_not_take_is_refused(expression: str) -> None:
    with pytest.raises(PatternRefused):
        TopicPattern.parse(expression)


def test_an_expression_that_makes_others_backtrack_is_matched_at_once() -> None:
    pattern = TopicPattern.parse("(a*)*(a|aa)+(a+)+b" + "a?" * 200)
    began_s = time.process_time()
    assert not any(pattern.matches("a" * length + "-") for length in range(150, 249))
    assert time.process_time() - began_s < 10
