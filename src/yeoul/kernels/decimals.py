"""Decimal arithmetic of 128-bit numbers whose steps need more: sums, products, quotients, remainders, and rounding.

A number is a decimal's digits without the point, two's complement in 16 bytes, as Arrow has them. Each row's result is
a numerator over a divisor, rounded half away from zero, both of up to 403 bits: |a| scaled by a power of ten over |b|,
|a| * |b| over a power of ten, and so on. A result that is not below the limit, or a division by zero, is marked.

Big numbers are lists of 31-bit limbs, the lowest first, one in eight bytes: so that two limbs beside each other, and a
product of two, never reach the sign bit of an int64. Division is Knuth's algorithm D (The Art of Computer Programming,
volume 2, 4.3.1). What fits one machine word goes without lists. Callers: `engine.compile.decimals`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import below, compiled, load_u64, shift_right, store_u8, store_u64

__all__ = ["ADD", "DIVIDE", "MULTIPLY", "REMAINDER", "combined"]

ADD, MULTIPLY, DIVIDE, REMAINDER = 0, 1, 2, 3
"""What is made of two numbers; subtraction adds the negative."""

_CELLS = 16
"""Cells of a list: more limbs than any step needs."""
_LISTS = 5

Words = NDArray[np.int64]


@compiled
def _spread(at, low, high):
    """Writes the five limbs of a number without a sign; returns how many there are."""
    mask = 0x7FFFFFFF
    store_u64(at, low & mask)
    store_u64(at + 8, shift_right(low, 31) & mask)
    store_u64(at + 16, shift_right(low, 62) | ((high & 0x1FFFFFFF) << 2))
    store_u64(at + 24, shift_right(high, 29) & mask)
    store_u64(at + 32, shift_right(high, 60))
    return _length(at, 5)


@compiled
def _length(at, limbs):
    while limbs > 0 and load_u64(at + limbs * 8 - 8) == 0:
        limbs -= 1
    return limbs


@compiled
def _times(at, limbs, factor):
    """Multiplies a list by a number below 2**31; returns its new length."""
    carry = 0
    for index in range(limbs):
        carry += load_u64(at + index * 8) * factor
        store_u64(at + index * 8, carry & 0x7FFFFFFF)
        carry >>= 31
    if carry != 0:
        store_u64(at + limbs * 8, carry)
        limbs += 1
    return limbs


@compiled
def _scaled(at, limbs, power):
    """Multiplies a list by a power of ten; returns its new length."""
    while power >= 9:
        limbs = _times(at, limbs, 1_000_000_000)
        power -= 9
    factor = 1
    while power > 0:
        factor *= 10
        power -= 1
    return _times(at, limbs, factor) if factor > 1 else limbs


@compiled
def _product(a, a_limbs, b, b_limbs, to):
    for index in range(a_limbs + b_limbs):
        store_u64(to + index * 8, 0)
    for i in range(a_limbs):
        carry = 0
        for j in range(b_limbs):
            place = to + (i + j) * 8
            carry += load_u64(a + i * 8) * load_u64(b + j * 8) + load_u64(place)
            store_u64(place, carry & 0x7FFFFFFF)
            carry >>= 31
        store_u64(to + (i + b_limbs) * 8, carry)
    return _length(to, a_limbs + b_limbs)


@compiled
def _order(a, a_limbs, b, b_limbs):
    """Returns 1, 0 or -1: how two lists compare."""
    if a_limbs != b_limbs:
        return 1 if a_limbs > b_limbs else -1
    for back in range(a_limbs):
        at = (a_limbs - 1 - back) * 8
        x, y = load_u64(a + at), load_u64(b + at)
        if x != y:
            return 1 if x > y else -1
    return 0


@compiled
def _plus(a, a_limbs, b, b_limbs):
    """Adds b to a; returns the new length."""
    carry, most = 0, max(a_limbs, b_limbs)
    for index in range(most):
        x = load_u64(a + index * 8) if index < a_limbs else 0
        y = load_u64(b + index * 8) if index < b_limbs else 0
        carry += x + y
        store_u64(a + index * 8, carry & 0x7FFFFFFF)
        carry >>= 31
    store_u64(a + most * 8, carry)
    return _length(a, most + 1)


@compiled
def _minus(a, a_limbs, b, b_limbs, to):
    """Writes a - b, which is not below zero; returns its length."""
    borrow = 0
    for index in range(a_limbs):
        y = load_u64(b + index * 8) if index < b_limbs else 0
        borrow += load_u64(a + index * 8) - y
        store_u64(to + index * 8, borrow & 0x7FFFFFFF)
        borrow >>= 31
    return _length(to, a_limbs)


@compiled
def _shifted(at, limbs, bits):
    """Multiplies a list by 2**bits, `bits` below 31, and writes one limb more."""
    carry = 0
    for index in range(limbs):
        carry |= load_u64(at + index * 8) << bits
        store_u64(at + index * 8, carry & 0x7FFFFFFF)
        carry >>= 31
    store_u64(at + limbs * 8, carry)


@compiled
def _divided(n, n_limbs, d, d_limbs, quotient, divisor):
    """Divides n by d; leaves the remainder in n and returns the length of the quotient."""
    if d_limbs == 1:
        by, rest = load_u64(d), 0
        for back in range(n_limbs):
            at = (n_limbs - 1 - back) * 8
            rest = (rest << 31) | load_u64(n + at)
            store_u64(quotient + at, rest // by)
            rest %= by
            store_u64(n + at, 0)
        store_u64(n, rest)
        return _length(quotient, n_limbs)
    if n_limbs < d_limbs:
        return 0
    bits, top = 0, load_u64(d + d_limbs * 8 - 8)
    while top < 0x40000000:
        top <<= 1
        bits += 1
    for index in range(d_limbs):
        store_u64(divisor + index * 8, load_u64(d + index * 8))
    _shifted(divisor, d_limbs, bits)
    _shifted(n, n_limbs, bits)
    first, second = load_u64(divisor + d_limbs * 8 - 8), load_u64(divisor + d_limbs * 8 - 16)
    for back in range(n_limbs - d_limbs + 1):
        j = n_limbs - d_limbs - back
        head = n + (j + d_limbs) * 8
        two = (load_u64(head) << 31) | load_u64(head - 8)
        guess, rest = two // first, two % first
        while guess > 0x7FFFFFFF or (rest <= 0x7FFFFFFF and guess * second > ((rest << 31) | load_u64(head - 16))):
            guess -= 1
            rest += first
        borrow = 0
        for index in range(d_limbs):
            place = n + (j + index) * 8
            borrow += load_u64(place) - guess * load_u64(divisor + index * 8)
            store_u64(place, borrow & 0x7FFFFFFF)
            borrow >>= 31
        borrow += load_u64(head)
        store_u64(head, borrow & 0x7FFFFFFF)
        if borrow < 0:
            guess -= 1
            carry = 0
            for index in range(d_limbs):
                place = n + (j + index) * 8
                carry += load_u64(place) + load_u64(divisor + index * 8)
                store_u64(place, carry & 0x7FFFFFFF)
                carry >>= 31
            store_u64(head, (load_u64(head) + carry) & 0x7FFFFFFF)
        store_u64(quotient + j * 8, guess)
    carry = 0
    for back in range(n_limbs + 1):
        at = (n_limbs - back) * 8
        carry = ((carry << 31) & 0x3FFFFFFFFFFFFFFF) | load_u64(n + at)
        store_u64(n + at, shift_right(carry, bits) & 0x7FFFFFFF)
    return _length(quotient, n_limbs - d_limbs + 1)


@compiled
def _rounded(n, n_limbs, d, d_limbs, quotient, divisor):
    """Writes n / d, halves away from zero; returns its length."""
    limbs = _divided(n, n_limbs, d, d_limbs, quotient, divisor)
    rest = _length(n, n_limbs)
    store_u64(n + rest * 8, 0)
    twice = _times(n, rest, 2)
    if _order(n, twice, d, d_limbs) >= 0:
        store_u64(divisor, 1)
        limbs = _plus(quotient, limbs, divisor, 1)
    return limbs


@compiled
def _copied(source, limbs, to):
    for index in range(limbs):
        store_u64(to + index * 8, load_u64(source + index * 8))
    return limbs


@kernel(
    "int64(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)"
)
def _combine(kind, rows, a, a_step, b, b_step, up_a, up_b, down, small, limit_low, limit_high, lists, results, good):
    """Writes 16 bytes a row and whether they hold; `small`: one word holds |a| * 10**up_a up to this |a|."""
    n, d, quotient, divisor, unit = lists, lists + 128, lists + 256, lists + 384, lists + 512
    store_u64(unit, 1)
    unit_limbs = _scaled(unit, 1, down)
    word = 1
    for _ in range(min(down, 18)):
        word *= 10
    scale = 1
    for _ in range(min(up_a, 18)):
        scale *= 10
    half_words = 1 << 31
    for row in range(rows):
        x_low, x_high = load_u64(a + row * a_step), load_u64(a + row * a_step + 8)
        y_low, y_high = load_u64(b + row * b_step), load_u64(b + row * b_step + 8)
        x_negative, y_negative = x_high < 0, y_high < 0
        if x_negative:
            x_low, x_high = -x_low, ~x_high + (1 if x_low == 0 else 0)
        if y_negative:
            y_low, y_high = -y_low, ~y_high + (1 if y_low == 0 else 0)
        negative = x_negative if kind == 0 or kind == 3 else x_negative != y_negative
        is_good = 1
        if (kind == 2 or kind == 3) and y_low == 0 and y_high == 0:
            low, high, is_good = 0, 0, 0
        elif kind == 2 and x_high == 0 and 0 <= x_low <= small and y_high == 0 and 0 < y_low < (1 << 62):
            over = x_low * scale
            low, high = over // y_low, 0
            low += 1 if 2 * (over - low * y_low) >= y_low else 0
        elif (
            kind == 1 and down <= 18 and (x_high | y_high) == 0 and 0 <= x_low < half_words and 0 <= y_low < half_words
        ):
            over = x_low * y_low
            low, high = over // word, 0
            low += 1 if 2 * (over - low * word) >= word else 0
        else:
            n_limbs = _spread(n, x_low, x_high)
            d_limbs = _spread(d, y_low, y_high)
            if kind == 1:
                n_limbs = _copied(quotient, _product(n, n_limbs, d, d_limbs, quotient), n)
            else:
                n_limbs = _scaled(n, n_limbs, up_a)
                d_limbs = _scaled(d, d_limbs, up_b)
            if kind == 0:
                if x_negative == y_negative:
                    n_limbs = _plus(n, n_limbs, d, d_limbs)
                elif _order(n, n_limbs, d, d_limbs) >= 0:
                    n_limbs = _minus(n, n_limbs, d, d_limbs, n)
                else:
                    n_limbs = _minus(d, d_limbs, n, n_limbs, n)
                    negative = y_negative
            if kind == 3:
                _divided(n, n_limbs, d, d_limbs, quotient, divisor)
                n_limbs = _length(n, n_limbs)
            if kind == 2:
                limbs = _rounded(n, n_limbs, d, d_limbs, quotient, divisor)
            elif down == 0:
                limbs = _copied(n, n_limbs, quotient)
            else:
                limbs = _rounded(n, n_limbs, unit, unit_limbs, quotient, divisor)
            for index in range(limbs, 5):
                store_u64(quotient + index * 8, 0)
            l2, l4 = load_u64(quotient + 16), load_u64(quotient + 32)
            low = load_u64(quotient) | (load_u64(quotient + 8) << 31) | (l2 << 62)
            high = (l2 >> 2) | (load_u64(quotient + 24) << 29) | (l4 << 60)
            if limbs > 5 or l4 > 7:
                is_good = 0
        if is_good == 1 and not (high < limit_high or (high == limit_high and below(low, limit_low))):
            is_good = 0
        if negative:
            low, high = -low, ~high + (1 if low == 0 else 0)
        store_u64(results + row * 16, low)
        store_u64(results + row * 16 + 8, high)
        store_u8(good + row, is_good)
    return 0


def combined(
    kind: int, a: Words, b: Words, *, up: tuple[int, int] = (0, 0), down: int = 0, digits: int = 38
) -> tuple[Words, NDArray[np.bool_]]:
    """Returns what becomes of two columns, row by row, and where it holds: not where it has too many digits.

    Args:
        kind: ADD, MULTIPLY, DIVIDE or REMAINDER.
        a: Low and high words in turn; one number stands for every row.
        b: Likewise.
        up: How many zeros are put behind either number before; 44 at most, and for products none.
        down: How many digits are rounded off behind; not for quotients.
        digits: How many the result may have.

    Example:
        >>> one, three = np.array([1, 0]), np.array([3, 0])
        >>> combined(DIVIDE, one, three, up=(5, 0))
        (array([33333,     0]), array([ True]))
    """
    a, b = np.ascontiguousarray(a, np.int64), np.ascontiguousarray(b, np.int64)
    lengths = len(a) // 2, len(b) // 2
    rows = 0 if 0 in lengths else max(lengths)
    results, good = np.empty(2 * rows, np.int64), np.empty(rows, np.bool_)
    lists = np.zeros(_CELLS * _LISTS, np.int64)
    limit = 10**digits
    _combine(
        kind,
        rows,
        address_of(a),
        16 if lengths[0] == rows else 0,
        address_of(b),
        16 if lengths[1] == rows else 0,
        *up,
        down,
        (2**62) // 10 ** up[0] if up[0] <= 18 and up[1] == 0 else -1,
        int(np.uint64(limit & (2**64 - 1)).view(np.int64)),
        limit >> 64,
        address_of(lists),
        address_of(results),
        address_of(good),
    )
    return results, good
