"""Values that nobody reads: passed over, but proved to be JSON (RFC 8259) byte by byte."""

from __future__ import annotations

from yeoul.kernels.json.codes import (
    BAD_NUMBER,
    ENDS_EARLY,
    EXPECTED_COLON,
    EXPECTED_COMMA,
    EXPECTED_KEY,
    NOT_A_VALUE,
    TOO_DEEP,
)
from yeoul.kernels.json.numbers import read_decimal
from yeoul.kernels.json.state import CALL_STACK, MAX_DEPTH, fail, get
from yeoul.kernels.json.strings import scan_string
from yeoul.kernels.machine import compiled, inlined, load_u8, load_u32, store_u8

TRUE, ALSE, NULL_WORD = 0x65757274, 0x65736C61, 0x6C6C756E


@inlined
def skip_space(p, end):
    """Returns the address of the first byte from p that is not JSON white space, at most `end`."""
    while p < end:
        byte = load_u8(p)
        if byte > 32 or (byte != 32 and byte != 10 and byte != 13 and byte != 9):
            break
        p += 1
    return p


@compiled
def literal_end(p, end):
    """Returns where the true, false or null at p ends; 0 if there is none."""
    word = load_u32(p)
    length = 4 if word == TRUE or word == NULL_WORD else 0
    if load_u8(p) == 102 and load_u32(p + 1) == ALSE:
        length = 5
    return p + length if length and p + length <= end else 0


@compiled
def skip_key(call, p, end):
    """Passes over a key and its colon; returns the address after the colon, or -1."""
    p = skip_space(p, end)
    if p >= end:
        return fail(call, ENDS_EARLY, end, -1)
    if load_u8(p) != 34:
        return fail(call, EXPECTED_KEY, p, -1)
    quote, detail = scan_string(p + 1, end, False)
    if quote < 0:
        return fail(call, -quote, detail, -1)
    return skip_colon(call, quote + 1, end)


@compiled
def skip_colon(call, p, end):
    """Passes over white space and a colon; returns the address after it, or -1."""
    p = skip_space(p, end)
    if p >= end:
        return fail(call, ENDS_EARLY, end, -1)
    if load_u8(p) != 58:
        return fail(call, EXPECTED_COLON, p, -1)
    return p + 1


@compiled
def skip_scalar(call, p, end):
    """Passes over a string, number or literal; returns the address after it, or -1."""
    byte = load_u8(p)
    if byte == 34:
        quote, detail = scan_string(p + 1, end, False)
        return fail(call, -quote, detail, -1) if quote < 0 else quote + 1
    if byte == 45 or (byte >= 48 and byte <= 57):
        q, _, _, _ = read_decimal(p, end, False)
        return fail(call, BAD_NUMBER, p, -1) if q == 0 else q
    q = literal_end(p, end)
    return fail(call, NOT_A_VALUE, p, -1) if q == 0 else q


@compiled
def skip_value(call, p, end):
    """Passes over the value at p, white space before it included; returns the address after it, or -1."""
    stack = get(call, CALL_STACK)
    depth = 0
    while True:
        p = skip_space(p, end)
        if p >= end:
            return fail(call, ENDS_EARLY, end, -1)
        opening = load_u8(p)
        if opening == 123 or opening == 91:
            if depth == MAX_DEPTH:
                return fail(call, TOO_DEEP, p, -1)
            closing = opening + 2
            after = skip_space(p + 1, end)
            if after < end and load_u8(after) == closing:
                p = after + 1
            else:
                store_u8(stack + depth, closing)
                depth += 1
                p = skip_key(call, after, end) if opening == 123 else after
                if p < 0:
                    return -1
                continue
        else:
            p = skip_scalar(call, p, end)
            if p < 0:
                return -1
        while depth > 0:
            p = skip_space(p, end)
            if p >= end:
                return fail(call, ENDS_EARLY, end, -1)
            byte = load_u8(p)
            closing = load_u8(stack + depth - 1)
            if byte == 44:
                p = skip_key(call, p + 1, end) if closing == 125 else p + 1
                if p < 0:
                    return -1
                break
            if byte != closing:
                return fail(call, EXPECTED_COMMA, p, -1)
            depth -= 1
            p += 1
        if depth == 0:
            return p
