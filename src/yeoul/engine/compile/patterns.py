"""Java's letters for dates and times ('yyyy-MM-dd HH:mm:ss.SSS') as chrono's."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from yeoul.errors import Span, UserError

__all__ = ["chrono_pattern", "chrono_words", "pattern_words"]

_LETTERS = {
    "yyyy": "%Y", "uuuu": "%Y", "y": "%Y", "u": "%Y", "yy": "%y", "uu": "%y",
    "MM": "%m", "M": "%-m", "LL": "%m", "L": "%-m", "MMM": "%b", "LLL": "%b", "MMMM": "%B", "LLLL": "%B",
    "dd": "%d", "d": "%-d", "DDD": "%j", "D": "%-j",
    "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S",
    "SSS": "%3f", "SSSSSS": "%6f", "SSSSSSSSS": "%9f", "a": "%p",
    "E": "%a", "EE": "%a", "EEE": "%a", "EEEE": "%A",
}  # fmt: skip


def chrono_pattern(java: str, span: Span | None = None) -> str:
    """Returns the pattern in chrono's letters.

    Raises:
        UserError: A letter that has no counterpart; the message names it.

    Example:
        >>> chrono_pattern("yyyy-MM-dd'T'HH:mm:ss.SSS")
        '%Y-%m-%dT%H:%M:%S%.3f'
    """
    return chrono_words(pattern_words(java), java, span)


def chrono_words(words: Iterable[tuple[str, str]], java: str, span: Span | None, also: Iterable[str] = ()) -> str:
    """Returns some words of a pattern in chrono's letters; errors as in `chrono_pattern`.

    Args:
        words: Of the pattern.
        java: The whole pattern.
        span: Where it stands in a statement.
        also: Letters that the caller knows besides, for the hint.
    """
    parts: list[str] = []
    for kind, word in words:
        if kind == "text":
            parts.extend(word.replace("%", "%%"))
            continue
        if word not in _LETTERS:
            raise UserError(
                f"{word!r} in the format {java!r} is not supported",
                hint="Known: " + " ".join(sorted({*_LETTERS, *also})),
                span=span,
            )
        directive = _LETTERS[word]
        if directive.endswith("f") and parts and parts[-1] == ".":
            parts[-1] = "%." + directive[1:]  # the point belongs to chrono's fraction
        else:
            parts.append(directive)
    return "".join(parts)


def pattern_words(java: str) -> list[tuple[str, str]]:
    """Returns a pattern's runs of one character: ('letter', 'yyyy') or ('text', '-').

    Example:
        >>> pattern_words("yy'T'")
        [('letter', 'yy'), ('text', 'T')]
    """
    return [(kind, character * len(list(group))) for (kind, character), group in itertools.groupby(_tokens(java))]


def _tokens(java: str) -> list[tuple[str, str]]:
    """Splits into ('letter', c) and ('text', c); what stands between quotes is text, two quotes are one."""
    tokens: list[tuple[str, str]] = []
    quoted, index = False, 0
    while index < len(java):
        character = java[index]
        if character == "'":
            if java[index : index + 2] == "''":
                tokens.append(("text", "'"))
                index += 1
            else:
                quoted = not quoted
        elif character.isascii() and character.isalpha() and not quoted:
            tokens.append(("letter", character))
        else:
            tokens.append(("text", character))
        index += 1
    return tokens
