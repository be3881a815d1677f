"""Functions of strings. Positions and lengths are in characters; Polars finds in bytes, so positions are converted.

Regular expressions are Rust's: no look-around, no back-references. A literal pattern that does not compile is refused
when the job is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import polars as pl

from yeoul.engine.compile.distinct_values import per_value
from yeoul.engine.compile.faults import checked
from yeoul.engine.compile.lowering import Lowering, Missing, Site
from yeoul.engine.compile.parts import part_of
from yeoul.engine.compile.printf import printf
from yeoul.errors import UserError

__all__ = ["TEXT", "literal_text", "place", "unless_null"]

_SPACE = pl.lit(" ")


def literal_text(site: Site, index: int, what: str) -> str:
    """Returns a literal string argument.

    Raises:
        UserError: It is not a literal.
    """
    value = site.constant(index)
    if not isinstance(value, str):
        raise UserError(f"{what} of {site.text} must be a literal string", span=site.call.span)
    return value


def _check_pattern(value: str, site: Site) -> None:
    try:
        pl.select(pl.lit("").str.contains(value))
    except pl.exceptions.PolarsError as error:
        reason = str(error).split("error:")[-1].strip().split("\n")[0]
        raise UserError(
            f"The regular expression {value!r} of {site.text} is not valid: {reason}",
            hint="Look-around and back-references are not supported.",
            span=site.call.span,
        ) from None


def unless_null(site: Site, result: pl.Expr, *indexes: int) -> pl.Expr:
    """NULL where one of the named arguments is, for functions of Polars that would pass over it."""
    nullable = [site.args[index] for index in indexes if index < len(site.args) and site.types[index].nullable]
    if not nullable:
        return result
    return pl.when(pl.all_horizontal(each.is_not_null() for each in nullable)).then(result)


# ---- LIKE and SIMILAR -------------------------------------------------


def _like_regex(like: str, escape: str | None) -> str:
    """Returns the regular expression that a LIKE pattern means.

    Example:
        >>> _like_regex("a%_.", None)
        '(?s)^a.*.\\\\.$'
    """
    parts: list[str] = []
    characters = iter(like)
    for character in characters:
        if character == escape:
            parts.append(re.escape(next(characters, "")))
        else:
            parts.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
    return f"(?s)^{''.join(parts)}$"


def _like(site: Site) -> pl.Expr:
    given, escape = site.constant(1), site.constant(2)
    if site.constant(0) is None:
        return pl.lit(None, dtype=pl.Boolean)
    letter = escape if isinstance(escape, str) else None
    if len(site.args) > 2 and letter is None:
        literal_text(site, 2, "The escape character")
    if isinstance(given, Missing):
        return _dynamic_like(site, letter)
    if not isinstance(given, str):
        return pl.lit(None, dtype=pl.Boolean)
    inner = given.strip("%")
    if letter is None and not any(each in inner for each in "%_"):
        return _plain_like(site.args[0], given, inner)
    return site.args[0].str.contains(_like_regex(given, letter))


def _plain_like(value: pl.Expr, given: str, inner: str) -> pl.Expr:
    """LIKE 'x', 'x%', '%x', '%x%': no regular expression needed."""
    if not inner and given:
        return value.str.starts_with("")
    opens, closes = given.startswith("%"), given.endswith("%")
    if opens and closes:
        return value.str.contains(inner, literal=True)
    if opens:
        return value.str.ends_with(inner)
    return value.str.starts_with(inner) if closes else value == inner


def _dynamic_like(site: Site, escape: str | None) -> pl.Expr:
    regex = per_value(site.args[1], lambda value: _like_regex(str(value), escape), pl.String())
    return site.args[0].str.contains(regex)


def _similar_regex(similar: str, escape: str | None) -> str:
    parts: list[str] = []
    characters = iter(similar)
    for character in characters:
        if character == escape:
            parts.append(re.escape(next(characters, "")))
        elif character in ".^$\\":
            parts.append("\\" + character)
        else:
            parts.append({"%": ".*", "_": "."}.get(character, character))
    return f"(?s)^(?:{''.join(parts)})$"


def _similar(site: Site) -> pl.Expr:
    given = literal_text(site, 1, "The pattern")
    escape = site.constant(2)
    regex = _similar_regex(given, escape if isinstance(escape, str) else None)
    _check_pattern(regex, site)
    return site.args[0].str.contains(regex)


# ---- places -------------------------------------------------------------


def place(text: pl.Expr, found: pl.Expr) -> pl.Expr:
    """From a byte offset, NULL if nothing was found, to a place in characters from 1, 0 if nothing was found."""
    before = text.cast(pl.Binary).bin.slice(0, found).cast(pl.String).str.len_chars()
    return pl.when(found.is_not_null()).then(before.cast(pl.Int32) + 1).otherwise(pl.lit(0, dtype=pl.Int32))


def _position(site: Site, what: int, text: int) -> pl.Expr:
    source = site.args[text]
    found = source.str.find(site.args[what], literal=True)
    return unless_null(site, place(source, found), what, text)


def _locate(site: Site) -> pl.Expr:
    if len(site.args) == 2:
        return _position(site, 0, 1)
    what, text, start = site.args
    skipped = (start.cast(pl.Int64) - 1).clip(0)
    rest = text.str.slice(skipped)
    found = place(rest, rest.str.find(what, literal=True))
    moved = pl.when(found > 0).then(found + skipped.cast(pl.Int32))
    return unless_null(site, moved.otherwise(pl.lit(0, dtype=pl.Int32)), 0, 1, 2)


def _substring(site: Site) -> pl.Expr:
    text, start = site.args[0], site.args[1].cast(pl.Int64)
    constant = site.constant(1)
    length = site.args[2].cast(pl.Int64) if len(site.args) > 2 else None
    if isinstance(constant, int) and constant >= 0:
        offset: pl.Expr | int = max(constant - 1, 0)
        cut = text.str.slice(offset, None if length is None else length.clip(0))
    else:
        size = text.str.len_chars().cast(pl.Int64)
        offset = pl.when(start > 0).then(start - 1).when(start < 0).then(size + start).otherwise(0)
        span = size if length is None else length.clip(0)
        cut = pl.when(offset < 0).then(pl.lit("")).otherwise(text.str.slice(offset.clip(0), span))
    cut = unless_null(site, cut, 0, 1, 2)
    known = site.constant(2)
    if length is None or (isinstance(known, int) and known >= 0):
        return cut
    return pl.when(length >= 0).then(cut)


def _overlay(site: Site) -> pl.Expr:
    text, new, start = site.args[0], site.args[1], site.args[2].cast(pl.Int64)
    length = site.args[3].cast(pl.Int64) if len(site.args) > 3 else new.str.len_chars().cast(pl.Int64)
    size = text.str.len_chars().cast(pl.Int64)
    end = pl.when(length <= 0).then(size).otherwise(start - 1 + length)
    replaced = pl.concat_str(text.str.slice(0, (start - 1).clip(0)), new, text.str.slice(end.clip(0)))
    outside = (start <= 0) | (start > size)
    return unless_null(site, pl.when(outside).then(text).otherwise(replaced), 0, 1, 2, 3)


def _left(site: Site) -> pl.Expr:
    return unless_null(site, site.args[0].str.head(site.args[1].cast(pl.Int64).clip(0)), 0, 1)


def _right(site: Site) -> pl.Expr:
    return unless_null(site, site.args[0].str.tail(site.args[1].cast(pl.Int64).clip(0)), 0, 1)


# ---- making and mending -----------------------------------------------------


def _repeat(text: pl.Expr, times: pl.Expr) -> pl.Expr:
    return text.repeat_by(times.cast(pl.Int64).clip(0)).list.join("")


def _padded(*, front: bool) -> Lowering:
    def lower(site: Site) -> pl.Expr:
        text, width, pad = site.args[0], site.args[1].cast(pl.Int64), site.args[2]
        missing = (width - text.str.len_chars().cast(pl.Int64)).clip(0)
        unit = pad.str.len_chars().cast(pl.Int64)
        fill = _repeat(pad, pl.when(unit > 0).then((missing + unit - 1).floordiv(unit)).otherwise(0)).str.head(missing)
        whole = pl.concat_str(fill, text) if front else pl.concat_str(text, fill)
        result = pl.when(missing > 0).then(whole).otherwise(text.str.head(width.clip(0)))
        possible = (width >= 0) & ((unit > 0) | (missing == 0))
        return unless_null(site, pl.when(possible).then(result), 0, 1, 2)

    return lower


def _trim(site: Site) -> pl.Expr:
    side = literal_text(site, 0, "The side").upper()
    stripped = {
        "BOTH": site.args[2].str.strip_chars,
        "LEADING": site.args[2].str.strip_chars_start,
        "TRAILING": site.args[2].str.strip_chars_end,
    }[side]
    return unless_null(site, stripped(site.args[1]), 1, 2)


def _stripped(method: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Lowering:
    def lower(site: Site) -> pl.Expr:
        characters = site.args[1] if len(site.args) > 1 else _SPACE
        return unless_null(site, method(site.args[0], characters), 0, 1)

    return lower


def _replace(site: Site) -> pl.Expr:
    text, old, new = site.args
    known = site.constant(1)
    if isinstance(known, str):
        replaced = text.str.replace_all(known, new.fill_null(""), literal=True) if known else _interleaved(text, new)
    else:
        # Polars replaces by a pattern from a column only without a replacement from one
        replaced = pl.when(old != "").then(text.str.split(old).list.join(new)).otherwise(_interleaved(text, new))
    return unless_null(site, replaced, 0, 1, 2)


def _interleaved(text: pl.Expr, new: pl.Expr) -> pl.Expr:
    """The new text around every character, which is what Java makes of replacing nothing."""
    between = pl.concat_str(new, text.str.split("").list.join(new), new)
    return pl.when(text.str.len_bytes() > 0).then(between).otherwise(new)


def _initcap(value: object) -> str:
    """Words are what stands between characters that are neither letters nor digits."""
    return re.sub(r"[^\W_]+", lambda word: word[0][0].upper() + word[0][1:].lower(), str(value))


def _translate(site: Site) -> pl.Expr:
    if site.constant(1) is None:
        return site.args[0]
    old, new = literal_text(site, 1, "The second argument"), ""
    if site.constant(2) is not None:
        new = literal_text(site, 2, "The third argument")
    table: dict[str, str] = {}
    for index, character in enumerate(old):
        table.setdefault(character, new[index] if index < len(new) else "")
    if not table:
        return site.args[0]
    return site.args[0].str.replace_many(list(table), list(table.values()))


def _concat(site: Site) -> pl.Expr:
    if site.call.type.kind.value == "BYTES":
        return checked(site.args, lambda a, b: _joined_bytes(a, b), pl.Binary())
    return pl.concat_str(site.args) if len(site.args) > 1 else site.args[0]


def _joined_bytes(a: pl.Series, b: pl.Series) -> pl.Series:
    pair = pl.select(
        *(
            pl.lit(each.bin.encode("hex")).first() if len(each) == 1 else each.bin.encode("hex")
            for each in (a.alias("a"), b.alias("b"))
        )
    )
    return pair.select(pl.concat_str(pair.columns).str.decode("hex")).to_series()


def _concat_ws(site: Site) -> pl.Expr:
    separator = site.constant(0)
    if isinstance(separator, str):
        joined = pl.concat_str(site.args[1:], separator=separator, ignore_nulls=True)
        return (
            pl.when(pl.any_horizontal(each.is_not_null() for each in site.args[1:])).then(joined).otherwise(pl.lit(""))
        )
    items = pl.concat_list(site.args[1:]).list.drop_nulls()
    return items.list.join(site.args[0])


def _chr(site: Site) -> pl.Expr:
    table = pl.Series("c", [chr(code) for code in range(256)])

    def compute(codes: pl.Series) -> pl.Series:
        places = pl.select(pl.when(pl.lit(codes) >= 0).then(pl.lit(codes) % 256)).to_series()
        letters = table.gather(places.cast(pl.UInt32))
        return pl.select(pl.when(pl.lit(codes) < 0).then(pl.lit("")).otherwise(pl.lit(letters))).to_series()

    return checked([site.args[0].cast(pl.Int64)], compute, pl.String())


def _ascii(site: Site) -> pl.Expr:
    first = site.args[0].cast(pl.Binary).bin.get(0, null_on_oob=True).cast(pl.Int32)
    signed = pl.when(first > 127).then(first - 256).otherwise(first)  # a byte, and Java's have a sign
    return unless_null(site, signed.fill_null(0), 0)


_GREATEST_CODE = 255


def _split(site: Site) -> pl.Expr:
    return pl.lit(None, dtype=site.dtype) if site.constant(0) is None else site.args[0].str.split(site.args[1])


def _split_index(site: Site) -> pl.Expr:
    """A text without characters has no part, not even an empty one."""
    given, place = site.constant(1), site.constant(2)
    text, separator, index = site.args[0], site.args[1], site.args[2].cast(pl.Int64)
    if isinstance(given, str) and len(given) == 1 and given.isascii() and isinstance(place, int) and place >= 0:
        part = checked([text], lambda texts: part_of(texts, given, place), pl.String())
        return part if place else pl.when(text != "").then(part)
    if site.types[1].is_integer:
        apart = per_value(separator, lambda code: chr(int(str(code))) if _is_code(code) else None, pl.String())
    else:  # no separator: words, as commons-lang has it
        apart = pl.when(separator == "").then(pl.lit(" ")).otherwise(separator)
    known = (index >= 0) & apart.is_not_null() & (text != "")
    return pl.when(known).then(text.str.split(apart.fill_null(" ")).list.get(index.clip(0), null_on_oob=True))


def _is_code(value: object) -> bool:
    return isinstance(value, int) and 1 <= value <= _GREATEST_CODE


def _str_to_map(site: Site) -> pl.Expr:
    outer = literal_text(site, 1, "The separator") if len(site.args) > 1 else ","
    inner = literal_text(site, 2, "The separator") if len(site.args) > 2 else "="
    if any(re.escape(one) != one and len(one) > 1 for one in (outer, inner)):
        return _by_regexes(site, outer, inner)
    pair = pl.element().str.splitn(inner, 2).struct.rename_fields(["key", "value"])
    return site.args[0].str.split(outer).list.eval(pair)


def _by_regexes(site: Site, outer: str, inner: str) -> pl.Expr:
    """STR_TO_MAP whose separators are regular expressions, as Flink takes them all to be."""

    def pairs(value: object) -> list[dict[str, str | None]]:
        parts = [re.split(inner, part, maxsplit=1) for part in re.split(outer, str(value))]
        return [{"key": part[0], "value": part[1] if len(part) > 1 else None} for part in parts]

    def compute(texts: pl.Series) -> pl.Series:
        return pl.Series("m", [None if text is None else pairs(text) for text in texts], dtype=site.dtype)

    return checked([site.args[0]], compute, site.dtype)


def _elt(site: Site) -> pl.Expr:
    index = site.args[0]
    return pl.coalesce(*(pl.when(index == place).then(each) for place, each in enumerate(site.args[1:], 1)))


def _ends(prefix: bool) -> Lowering:
    def lower(site: Site) -> pl.Expr:
        space = site.args[0].bin if site.types[0].kind.value == "BYTES" else site.args[0].str
        return space.starts_with(site.args[1]) if prefix else space.ends_with(site.args[1])

    return lower


def _octets(site: Site) -> pl.Expr:
    is_bytes = site.types[0].kind.value == "BYTES"
    return (site.args[0].bin.size() if is_bytes else site.args[0].str.len_bytes()).cast(pl.Int32)


TEXT: Mapping[str, Lowering] = {
    "concat": _concat,
    "concat_ws": _concat_ws,
    "like": _like,
    "not_like": lambda site: ~_like(site),
    "similar": _similar,
    "not_similar": lambda site: ~_similar(site),
    "upper": lambda site: site.args[0].str.to_uppercase(),
    "lower": lambda site: site.args[0].str.to_lowercase(),
    "initcap": lambda site: per_value(site.args[0], _initcap, pl.String()),
    "char_length": lambda site: site.args[0].str.len_chars().cast(pl.Int32),
    "octet_length": _octets,
    "position": lambda site: _position(site, 0, 1),
    "instr": lambda site: _position(site, 1, 0),
    "locate": _locate,
    "trim": _trim,
    "btrim": _stripped(lambda text, characters: text.str.strip_chars(characters)),
    "ltrim": _stripped(lambda text, characters: text.str.strip_chars_start(characters)),
    "rtrim": _stripped(lambda text, characters: text.str.strip_chars_end(characters)),
    "substring": _substring,
    "left": _left,
    "right": _right,
    "overlay": _overlay,
    "replace": _replace,
    "translate": _translate,
    "repeat": lambda site: unless_null(site, _repeat(*site.args), 0, 1),
    "reverse": lambda site: site.args[0].str.reverse(),
    "lpad": _padded(front=True),
    "rpad": _padded(front=False),
    "ascii": _ascii,
    "chr": _chr,
    "startswith": _ends(prefix=True),
    "endswith": _ends(prefix=False),
    "split_index": _split_index,
    "split": _split,
    "str_to_map": _str_to_map,
    "elt": _elt,
    "printf": printf,
}
