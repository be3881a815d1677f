r"""Whose certificate it is: the subject's name as Kafka writes it, and the user's name that rules make of it.

Owns the reading of the subject from a certificate's DER and Kafka's `ssl.principal.mapping.rules`. Pure. The text is
that of RFC 2253: the last part first, `CN=alice,OU=Data,O=Example`. Caller: `connection`.
Source: https://kafka.apache.org/documentation/#security_authz_ssl, java.security X500Principal.getName.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from yeoul.errors import UserError

__all__ = ["check_rules", "name_by_rules", "subject_name"]

_VERSION_TAG = 0xA0
_ENCODINGS = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}
_KEYWORDS = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}
_ESCAPED = re.compile(r'([,+"\\<>;=])')
_RULE = re.compile(r"\s*(?:DEFAULT|RULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?))\s*(?:,|$)", re.S)


def subject_name(certificate: bytes) -> str:
    """Returns the subject of a certificate that was verified before.

    Args:
        certificate: DER, as `getpeercert(True)` has it.

    Raises:
        ValueError: It is no certificate.
    """
    [(_, whole)] = _items(certificate)
    (_, body), *_ = _items(whole)
    fields = [item for item in _items(body) if item[0] != _VERSION_TAG]
    # serial number, signature's algorithm, issuer, validity, subject
    return ",".join(_relative_name(parts) for _, parts in reversed(list(_items(fields[4][1]))))


def _relative_name(parts: bytes) -> str:
    return "+".join(_attribute(pair) for _, pair in _items(parts))


def _attribute(pair: bytes) -> str:
    (_, number), (tag, value) = _items(pair)
    name = _object_id(number)
    keyword, encoding = _KEYWORDS.get(name), _ENCODINGS.get(tag)
    if keyword is None or encoding is None:
        return f"{keyword or name}=#{_encoded(tag, value).hex()}"
    return f"{keyword}={_escape(value.decode(encoding))}"


def _escape(text: str) -> str:
    r"""Escapes what has a meaning in a name.

    Example:
        >>> _escape(' a,b ')
        '\\ a\\,b\\ '
    """
    escaped = _ESCAPED.sub(r"\\\1", text)
    if escaped[:1] in ("#", " "):
        escaped = "\\" + escaped
    return escaped[:-1] + "\\ " if len(text) > 1 and escaped.endswith(" ") else escaped


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields tag and content of each value, one after another."""
    position = 0
    while position < len(data):
        tag, size = data[position], data[position + 1]
        position += 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[position : position + count], "big")
            position += count
        if position + size > len(data):
            raise ValueError("A value ends behind its certificate")
        yield tag, data[position : position + size]
        position += size


def _encoded(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def _object_id(data: bytes) -> str:
    numbers, number = [], 0
    for byte in data:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def check_rules(rules: str) -> None:
    """Raises UserError unless the text is of the form of `ssl.principal.mapping.rules`."""
    _parse(rules)


def name_by_rules(rules: str, subject: str) -> str:
    """Returns the name that the first rule which fits makes of a subject; the subject when none fits.

    Args:
        rules: `DEFAULT`, or `RULE:pattern/replacement/` with `L` or `U` at the end for lower or upper case, separated
            by commas.
        subject: As `subject_name` returns it.

    Example:
        >>> name_by_rules("RULE:^CN=(.*?),.*$/$1/L,DEFAULT", "CN=Alice,O=Example")
        'alice'
        >>> name_by_rules("DEFAULT", "CN=Alice,O=Example")
        'CN=Alice,O=Example'
    """
    for pattern, replacement, case in _parse(rules):
        if pattern is None:
            return subject
        if pattern.fullmatch(subject):
            name = pattern.sub(replacement, subject, count=1)
            return name.lower() if case == "L" else name.upper() if case == "U" else name
    return subject


@functools.lru_cache(maxsize=64)
def _parse(rules: str) -> tuple[tuple[re.Pattern[str] | None, str, str], ...]:
    found: list[tuple[re.Pattern[str] | None, str, str]] = []
    position = 0
    while position < len(rules):
        match = _RULE.match(rules, position)
        if match is None:
            got = rules[position:]
            raise UserError(f"ssl.principal.mapping.rules: Expected DEFAULT or RULE:pattern/text/[LU], got {got!r}")
        position = match.end()
        if match[1] is None:
            found.append((None, "", ""))
            continue
        try:
            pattern = re.compile(match[1].replace(r"\/", "/"))
        except re.error as error:
            raise UserError(f"ssl.principal.mapping.rules: {match[1]!r} is no pattern: {error}") from None
        replacement = re.sub(r"\$(\d+)", r"\\g<\1>", match[2].replace("\\", "\\\\"))
        found.append((pattern, replacement, match[3]))
    return tuple(found)
