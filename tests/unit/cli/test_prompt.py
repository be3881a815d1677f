"""The prompt: a statement over several lines, what ends it, what leaves; and errors with their place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from yeoul.cli.errors import describe
from yeoul.cli.sql.prompt import completions, read_statement
from yeoul.cli.sql.script import ends_statement, is_blank
from yeoul.errors import Span, UserError


def typing(*lines: str) -> Callable[[str], str]:
    waiting = iter(lines)

    def read_line(prompt: str) -> str:
        try:
            return next(waiting)
        except StopIteration:
            raise EOFError from None

    return read_line


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("SELECT 1;", True),
        ("SELECT 1; ", True),
        ("SELECT 1; -- done", True),
        ("SELECT 1; /* done */\n", True),
        ("SELECT 1", False),
        ("SELECT ';'", False),
        ("SELECT 'it''s;", False),
        ("SELECT `a;b`", False),
        ("SELECT 1 -- ;", False),
        ("SELECT 1 /* ; */", False),
        ("SELECT 1 /* ;", False),
        ("", False),
    ],
)
def test_a_semicolon_ends_a_statement_unless_it_is_quoted(text: str, ends: bool) -> None:
    assert ends_statement(text) is ends


def test_space_and_comments_are_no_statement() -> None:
    assert is_blank("  -- nothing\n/* here */ ; ;")
    assert not is_blank("-- x\nSHOW TABLES;")


def test_a_statement_may_take_several_lines() -> None:
    assert read_statement(typing("SELECT a", "FROM t", "WHERE b = ';'", ";", "more")) == (
        "SELECT a\nFROM t\nWHERE b = ';'\n;"
    )


@pytest.mark.parametrize("word", ["quit", "exit;", "QUIT;", r"\q"])
def test_a_word_leaves(word: str) -> None:
    assert read_statement(typing(word, "SELECT 1;")) is None


@pytest.mark.parametrize("word", ["help", "HELP;", r"\h", "clear;"])
def test_a_word_to_the_prompt_itself_needs_no_semicolon(word: str) -> None:
    assert read_statement(typing(word, "SELECT 1;")) == word


@pytest.mark.parametrize(
    "begin", ["EXECUTE STATEMENT SET BEGIN", "begin statement set;", "EXPLAIN STATEMENT SET BEGIN"]
)
def test_a_statement_set_ends_with_its_own_end(begin: str) -> None:
    lines = (begin, "INSERT INTO a SELECT 1;", "-- END;", "INSERT INTO b SELECT 'END;';", "END;")
    assert read_statement(typing(*lines, "more;")) == "\n".join(lines)


def test_the_end_of_input_leaves() -> None:
    assert read_statement(typing("SELECT")) is None


def test_words_complete_in_the_case_they_were_begun() -> None:
    assert completions("cl", ["clicks", "orders"]) == ["clicks"]
    assert completions("DIST", []) == ["DISTINCT"]
    assert completions("dist", []) == ["distinct"]


def test_an_error_without_a_place_has_no_excerpt() -> None:
    assert describe(UserError("No"), "SELECT 1") == "error: No"


def test_the_mark_stands_below_the_place_behind_tabs() -> None:
    text = describe(UserError("Bad", span=Span(1, 3)), "\t\tx")
    assert text.splitlines()[1:] == ["  1 | \t\tx", "    | \t\t^"]


def test_a_place_outside_of_the_text_is_told_in_words_alone() -> None:
    assert describe(UserError("Bad", span=Span(9, 1)), "one line") == "error: Bad (line 9, column 1)"


def test_a_long_line_is_shown_around_the_place() -> None:
    text = describe(UserError("Bad", span=Span(1, 101)), "a" * 100 + "X" + "b" * 100)
    assert text.splitlines()[1:] == ["  1 | ..." + "a" * 50 + "X" + "b" * 49 + "...", "    | " + " " * 53 + "^"]
