"""Bytes, Base64, hexadecimal digits, digests, URLs and character sets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, quote_plus, unquote_plus, urlsplit

import polars as pl

from yeoul.engine.compile.distinct_values import per_value
from yeoul.engine.compile.lowering import Lowering, Site
from yeoul.engine.compile.text import literal_text
from yeoul.errors import UserError
from yeoul.plan.types import Kind

__all__ = ["ENCODINGS"]

_CHARSETS = {
    "UTF-8": "utf-8", "US-ASCII": "ascii", "ISO-8859-1": "latin-1",
    "UTF-16": "utf-16", "UTF-16BE": "utf-16-be", "UTF-16LE": "utf-16-le",
}  # fmt: skip


_MALFORMED = re.compile(r"%(?![0-9a-fA-F]{2})")


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _digest(algorithm: str) -> Lowering:
    def hexadecimal(value: object) -> str:
        return hashlib.new(algorithm, _as_bytes(value), usedforsecurity=False).hexdigest()

    return lambda site: per_value(site.args[0], hexadecimal, pl.String())


def _sha2(site: Site) -> pl.Expr:
    bits = site.constant(1)
    if bits not in (224, 256, 384, 512):
        raise UserError(f"The bits of {site.text} must be 224, 256, 384 or 512, as a literal", span=site.call.span)
    return _digest(f"sha{bits}")(site)


def _to_base64(site: Site) -> pl.Expr:
    operand = site.args[0]
    return operand.bin.encode("base64") if site.types[0].kind is Kind.BYTES else operand.str.encode("base64")


def _charset(site: Site) -> str:
    name = literal_text(site, 1, "The character set").upper()
    if name not in _CHARSETS:
        raise UserError(
            f"Unknown character set {name!r} in {site.text}", hint=f"Known: {', '.join(_CHARSETS)}", span=site.call.span
        )
    return _CHARSETS[name]


def _encode(site: Site) -> pl.Expr:
    charset = _charset(site)
    if charset == "utf-8":
        return site.args[0].cast(pl.Binary)
    return per_value(site.args[0], lambda value: str(value).encode(charset, "replace"), pl.Binary())


def _decode(site: Site) -> pl.Expr:
    charset = _charset(site)
    return per_value(site.args[0], lambda value: _as_bytes(value).decode(charset, "replace"), pl.String())


def _url_encoded(value: object) -> str:
    return quote_plus(str(value), safe="*-._").replace("~", "%7E")


def _url_decode(value: object) -> str | None:
    if _MALFORMED.search(str(value)):
        return None
    try:
        return unquote_plus(str(value), errors="strict")
    except UnicodeDecodeError:
        return None


def _url_part(value: object, part: str, key: str | None) -> str | None:
    try:
        url = urlsplit(str(value))
    except ValueError:
        return None
    if part == "QUERY":
        found = parse_qs(url.query, keep_blank_values=True).get(key) if key is not None else [url.query]
        return found[0] if found and (key is not None or url.query) else None
    user, at, _ = url.netloc.rpartition("@")
    parts = {
        "PROTOCOL": url.scheme,
        "HOST": url.hostname or "",
        "PATH": url.path,
        "REF": url.fragment,
        "AUTHORITY": url.netloc,
        "FILE": url.path + (f"?{url.query}" if url.query else ""),
        "USERINFO": user if at else "",
    }
    return parts[part] or ("" if part in ("PATH", "FILE") else None)


def _parse_url(site: Site) -> pl.Expr:
    part = literal_text(site, 1, "The part")
    key = literal_text(site, 2, "The key") if len(site.args) > 2 else None
    known = ("HOST", "PATH", "QUERY", "REF", "PROTOCOL", "AUTHORITY", "FILE", "USERINFO")
    if part not in known:
        return pl.lit(None, dtype=pl.String)
    return per_value(site.args[0], lambda value: _url_part(value, part, key), pl.String())


def _digits(form: str) -> Callable[[object], str]:
    """Digits of an integer; of a negative one those of its 64-bit two's complement, as Java writes it."""
    return lambda value: format(int(str(value)) & ((1 << 64) - 1), form)


def _hex(site: Site) -> pl.Expr:
    if site.types[0].kind is Kind.STRING:
        return site.args[0].str.encode("hex").str.to_uppercase()
    return per_value(site.args[0], _digits("X"), pl.String())


def _unhex(site: Site) -> pl.Expr:
    text = site.args[0]
    even = pl.when(text.str.len_bytes() % 2 == 1).then(pl.concat_str(pl.lit("0"), text)).otherwise(text)
    return even.str.decode("hex", strict=False)


def _address_number(value: object) -> int | None:
    """The number of an IPv4 address; fewer parts than four stand for the last bytes, as inet_aton has it."""
    parts = str(value).split(".")
    if not 1 <= len(parts) <= 4 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    *leading, last = map(int, parts)
    if any(part > 255 for part in leading) or last >= 1 << (8 * (4 - len(leading))):
        return None
    return sum(part << (8 * (3 - index)) for index, part in enumerate(leading)) + last


def _inet_ntoa(site: Site) -> pl.Expr:
    number = site.args[0].cast(pl.Int64)
    bytes = [(number // (1 << shift) % 256).cast(pl.String) for shift in (24, 16, 8, 0)]
    return pl.when(number.is_between(0, (1 << 32) - 1)).then(pl.concat_str(bytes, separator="."))


def _from_base64(site: Site) -> pl.Expr:
    missing = (4 - site.args[0].str.len_bytes() % 4) % 4  # the padding may be left out
    padded = pl.concat_str(site.args[0], pl.lit("=").repeat_by(missing).list.join(""))
    return padded.str.decode("base64", strict=False).cast(pl.String, strict=False)


ENCODINGS: Mapping[str, Lowering] = {
    **{name: _digest(name) for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")},
    "sha2": _sha2,
    "to_base64": _to_base64,
    "from_base64": _from_base64,
    "encode": _encode,
    "decode": _decode,
    "url_encode": lambda site: per_value(site.args[0], _url_encoded, pl.String()),
    "url_decode": lambda site: per_value(site.args[0], _url_decode, pl.String()),
    "parse_url": _parse_url,
    "bin": lambda site: per_value(site.args[0], _digits("b"), pl.String()),
    "hex": _hex,
    "unhex": _unhex,
    "inet_aton": lambda site: per_value(site.args[0], _address_number, pl.Int64()),
    "inet_ntoa": _inet_ntoa,
}
