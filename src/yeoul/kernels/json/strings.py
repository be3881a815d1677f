"""JSON strings: where one ends, that it is valid, what it says, and the Arrow view of it.

A plain string costs one vector load: two compares give the quotes and the bytes that need a closer look. Bytes above
0x7F are proved to be UTF-8 sequence by sequence; escapes are checked while scanning and decoded, only for columns that
are read, into the side buffer of the call (`copy_string`).

Invariant: no view is written before the bytes it covers were proved valid UTF-8.
"""

from __future__ import annotations

import numpy as np

from yeoul.kernels.json.codes import BAD_ESCAPE, BAD_UTF8, CONTROL_CHARACTER, OPEN_STRING
from yeoul.kernels.machine import (
    compiled,
    copy_block,
    first_set,
    inlined,
    load_u8,
    load_u32,
    load_u64,
    store_u8,
    store_u32,
    store_u64,
    string_ends,
    string_specials,
)

_INLINE = 12
_LOW_MASK = np.array([(1 << 8 * min(n, 4)) - 1 for n in range(33)], np.int64)
_HIGH_MASK = np.array([((1 << 8 * max(0, min(n - 4, 8))) - 1) & ((1 << 64) - 1) for n in range(33)], np.uint64).view(
    np.int64
)


def _table(entries: dict[str, int], missing: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    table = np.full(256, missing, np.int64)
    for character, value in entries.items():
        table[ord(character)] = value
    return table


_ESCAPES = _table({'"': 34, "\\": 92, "/": 47, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "u": 1}, 0)
_HEX = _table({c: int(c, 16) for c in "0123456789abcdefABCDEF"}, 1 << 20)


@inlined
def write_view(target, start, length, view_base, buffer):
    """Writes the 16-byte Arrow view of `length` bytes at `start`; up to 12 bytes lie in the view itself."""
    slot = min(length, 32)
    low = load_u32(start)
    high = load_u64(start + 4) & _HIGH_MASK[np.uint64(slot)]
    reference = buffer | ((start - view_base) << 32)
    store_u64(target, length | ((low & _LOW_MASK[np.uint64(slot)]) << 32))
    store_u64(target + 8, high if length <= _INLINE else reference)


@inlined
def utf8_sequence_end(p):
    """Returns where the UTF-8 sequence at p ends, 0 if there is none (RFC 3629: no overlong form, no surrogate)."""
    word = load_u32(p)
    lead = word & 0xFF
    second = (word >> 8) & 0xFF
    if lead < 0xE0:
        return p + 2 if lead >= 0xC2 and (second & 0xC0) == 0x80 else 0
    if lead < 0xF0:
        if (word & 0xC0C000) != 0x808000 or (lead == 0xE0 and second < 0xA0) or (lead == 0xED and second >= 0xA0):
            return 0
        return p + 3
    if (word & 0xC0C0C000) != 0x80808000 or (lead == 0xF0 and second < 0x90) or (lead == 0xF4 and second >= 0x90):
        return 0
    return p + 4 if lead < 0xF5 else 0


@compiled
def scan_string(p, end, stop):
    """Finds the closing quote of the string whose first byte is at p.

    Args:
        p: The string's first byte.
        end: Where the row ends.
        stop: Whether to stop at the first escape: `copy_string` then does the whole work.

    Returns:
        (address of the quote, or of the escape to stop at, 1 if escapes were met else 0), or (-code, address of the
        fault).
    """
    escapes = 0
    while p < end:
        ends = string_ends(p)
        specials = string_specials(p) & (ends - 1)
        if specials == 0:
            if ends != 0:
                p += first_set(ends)
                break
            p += 32
            continue
        p += first_set(specials)
        if p >= end:
            break
        byte = load_u8(p)
        if byte >= 0x80:
            while byte >= 0x80:
                q = utf8_sequence_end(p)
                if q == 0:
                    return -BAD_UTF8, p
                p = q
                byte = load_u8(p)
                if p >= end:
                    break
        elif byte == 92:
            if stop:
                return p, 1
            escapes = 1
            kind = _ESCAPES[np.uint64(load_u8(p + 1))]
            if kind == 0:
                return -BAD_ESCAPE, p
            p += 2
            if kind == 1:
                digits = _hex(p)
                if digits > 0xFFFF:
                    return -BAD_ESCAPE, p
                p += 4
        else:
            return -CONTROL_CHARACTER, p
    if p >= end:
        return -OPEN_STRING, end
    return p, escapes


@inlined
def _hex(p):
    return (
        (_HEX[np.uint64(load_u8(p))] << 12)
        | (_HEX[np.uint64(load_u8(p + 1))] << 8)
        | (_HEX[np.uint64(load_u8(p + 2))] << 4)
        | _HEX[np.uint64(load_u8(p + 3))]
    )


@compiled
def copy_string(p, end, out):
    """Checks the string whose first byte is at p as `scan_string` does, and decodes it while at it.

    Args:
        p: The string's first byte.
        end: Where the row ends.
        out: Where to write; as many bytes as the string has, and SLACK_BYTES more, must be there.

    Returns:
        (address of the closing quote, end of what was written or 0 if a surrogate stands alone, which UTF-8 cannot
        say), or (-code, address of the fault).
    """
    whole = True
    while p < end:
        copy_block(out, p)
        stops = string_ends(p) | string_specials(p)
        if stops == 0:
            p += 32
            out += 32
            continue
        plain = first_set(stops)
        p += plain
        out += plain
        byte = load_u8(p)
        while byte == 92 and p < end:
            kind = _ESCAPES[np.uint64(load_u8(p + 1))]
            if kind == 0:
                return -BAD_ESCAPE, p
            if kind != 1:
                store_u8(out, kind)
                out += 1
                p += 2
            else:
                q, point = _escaped_point(p, end)
                if q == 0:
                    return -BAD_ESCAPE, p
                whole = whole and point >= 0
                p = q
                out = _write_utf8(max(point, 0), out)
            byte = load_u8(p)
        while byte >= 0x80 and p < end:
            q = utf8_sequence_end(p)
            if q == 0:
                return -BAD_UTF8, p
            store_u32(out, load_u32(p))
            out += q - p
            p = q
            byte = load_u8(p)
        if byte == 34 and p < end:
            return p, out if whole else 0
        if byte < 32 and p < end:
            return -CONTROL_CHARACTER, p
    return -OPEN_STRING, end


@inlined
def _escaped_point(p, end):
    """Reads the \\uXXXX at p, or the two of a pair; returns (address after it or 0, code point or -1 if it is half)."""
    point = _hex(p + 2)
    if point > 0xFFFF:
        return 0, 0
    p += 6
    if (point & 0xF800) != 0xD800:
        return p, point
    if point >= 0xDC00 or p + 6 > end or load_u8(p) != 92 or load_u8(p + 1) != 117:
        return p, -1
    low = _hex(p + 2)
    if (low & ~0x3FF) != 0xDC00:
        return p, -1
    return p + 6, 0x10000 + ((point & 0x3FF) << 10) + (low & 0x3FF)


@inlined
def _write_utf8(point, out):
    if point < 0x80:
        store_u8(out, point)
        return out + 1
    if point < 0x800:
        store_u8(out, 0xC0 | (point >> 6))
        store_u8(out + 1, 0x80 | (point & 63))
        return out + 2
    if point < 0x10000:
        store_u8(out, 0xE0 | (point >> 12))
        store_u8(out + 1, 0x80 | ((point >> 6) & 63))
        store_u8(out + 2, 0x80 | (point & 63))
        return out + 3
    store_u8(out, 0xF0 | (point >> 18))
    store_u8(out + 1, 0x80 | ((point >> 12) & 63))
    store_u8(out + 2, 0x80 | ((point >> 6) & 63))
    store_u8(out + 3, 0x80 | (point & 63))
    return out + 4


@compiled
def strip_space(p, end, out):
    """Copies valid JSON text without the white space between its tokens; returns the end of what was written."""
    inside = False
    while p < end:
        byte = load_u8(p)
        if inside:
            if byte == 92:
                store_u8(out, byte)
                out += 1
                p += 1
                byte = load_u8(p)
            elif byte == 34:
                inside = False
        elif byte <= 32:
            p += 1
            continue
        elif byte == 34:
            inside = True
        store_u8(out, byte)
        out += 1
        p += 1
    return out
