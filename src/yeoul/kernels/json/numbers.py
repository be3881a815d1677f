"""JSON numbers: digits eight at a time, integers, doubles that are exactly what `float()` gives, decimals.

A number's text becomes `digits * 10**exponent` (`read_decimal`, which also proves its grammar) and from there an
integer, a double or a decimal. A double of up to 15 digits is one exact division; any other goes through the
multiplication by a 128-bit power of five (D. Lemire, "Number parsing at a gigabyte per second", 2021). What that cannot
decide, subnormals and numbers of more digits than fit included, is left to the caller as `HARD`: Python settles those.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.machine import (
    as_f64,
    below,
    compiled,
    first_set,
    inlined,
    leading_zeros,
    load_u8,
    load_u64,
    multiply_high,
    shift_right,
)

NEGATIVE = 1
INEXACT = 2
FRACTION = 4
MAX_DIGITS = 18
EXACT_DIGITS = 15
FINE, HARD, OVER = 0, 1, 2

POWERS = np.array([10**i for i in range(19)], np.int64)
FLOAT_POWERS = np.array([10.0**i for i in range(23)])
_SMALLEST, _LARGEST = -342, 308
_MANTISSA = (1 << 52) - 1


def _powers_of_five() -> NDArray[np.int64]:
    """Returns the upper and lower halves of 5**q, q from -342 to 308, each normalised to 128 bits."""
    rows = []
    for q in range(_SMALLEST, _LARGEST + 1):
        power = 5 ** abs(q)
        if q < 0:
            bits = (power - 1).bit_length()
            value = (1 << (bits + 127 if q >= -27 else 2 * bits + 128)) // power + 1
            value >>= max(0, value.bit_length() - 128)
        else:
            shift = 128 - power.bit_length()
            value = power << shift if shift >= 0 else power >> -shift
        rows.append((value >> 64, value & ((1 << 64) - 1)))
    return np.array(rows, np.uint64).view(np.int64)


_FIVES = _powers_of_five()


@inlined
def digit_block(p):
    """Returns how many of the eight bytes at p are leading digits, and their value if there is at least one."""
    word = load_u64(p) ^ 0x3030303030303030
    others = ((word + 0x7676767676767676) | word) & -0x7F7F7F7F7F7F7F80
    count = first_set(others) >> 3
    word = word << ((64 - (count << 3)) & 63)
    word = (word * 10 + shift_right(word, 8)) & 0x00FF00FF00FF00FF
    word = (word * 100 + shift_right(word, 16)) & 0x0000FFFF0000FFFF
    return count, (word * 10000 + shift_right(word, 32)) & 0xFFFFFFFF


@compiled
def read_decimal(p, end, lenient):
    """Reads the number at p.

    Args:
        p: Its first byte.
        end: Where the input ends.
        lenient: Whether to take what Java's parsers take beyond JSON: a plus sign, leading zeros, `1.` and `.5`.

    Returns:
        (the address after it or 0 if it is malformed, flags, digits, exponent): the number is digits * 10**exponent,
        short of what lies beyond the 18th digit if INEXACT is set.
    """
    flags = 0
    digits = 0
    count = 0
    exponent = 0
    sign = load_u8(p)
    if sign == 45 or (lenient and sign == 43):
        flags = NEGATIVE if sign == 45 else 0
        p += 1
    first = p
    while p < end:
        digit = load_u8(p) - 48
        if digit < 0 or digit > 9:
            break
        if count < MAX_DIGITS:
            digits = digits * 10 + digit
            count += digits != 0
        else:
            exponent += 1
            flags |= INEXACT if digit != 0 else 0
        p += 1
    whole = p - first
    if not lenient and (whole == 0 or (whole > 1 and load_u8(first) == 48)):
        return 0, flags, digits, exponent
    if p < end and load_u8(p) == 46:
        flags |= FRACTION
        p += 1
        first = p
        while p < end:
            digit = load_u8(p) - 48
            if digit < 0 or digit > 9:
                break
            if count < MAX_DIGITS:
                digits = digits * 10 + digit
                count += digits != 0
                exponent -= 1
            else:
                flags |= INEXACT if digit != 0 else 0
            p += 1
        if p == first and (not lenient or whole == 0):
            return 0, flags, digits, exponent
    elif whole == 0:
        return 0, flags, digits, exponent
    if p < end and (load_u8(p) | 32) == 101:
        flags |= FRACTION
        p += 1
        sign = load_u8(p)
        p += sign == 45 or sign == 43
        first = p
        power = 0
        while p < end:
            digit = load_u8(p) - 48
            if digit < 0 or digit > 9:
                break
            power = min(power * 10 + digit, 1 << 40)
            p += 1
        if p == first:
            return 0, flags, digits, exponent
        exponent += -power if sign == 45 else power
    return p, flags, digits, exponent


@compiled
def to_double(flags, digits, exponent):
    """Turns what `read_decimal` returned into (double, FINE), or (0.0, HARD) if Python has to decide."""
    sign = -1.0 if flags & NEGATIVE else 1.0
    if digits == 0:
        return sign * 0.0, FINE
    if flags & INEXACT == 0 and digits < (1 << 53) and -22 <= exponent <= 22:
        x = np.float64(digits)
        x = x / FLOAT_POWERS[np.uint64(-exponent)] if exponent < 0 else x * FLOAT_POWERS[np.uint64(exponent)]
        return sign * x, FINE
    bits = _nearest(digits, exponent)
    if bits < 0 or (flags & INEXACT and bits != _nearest(digits + 1, exponent)):
        return 0.0, HARD
    return sign * as_f64(bits), FINE


@compiled
def _nearest(digits, exponent):
    """Returns the bits of the double nearest to digits * 10**exponent, -1 when in doubt."""
    if exponent > _LARGEST:
        return np.int64(0x7FF0000000000000)
    if exponent < _SMALLEST:
        return np.int64(-1)
    shift = leading_zeros(digits)
    row = np.uint64(exponent - _SMALLEST)
    factor = digits << shift
    upper = multiply_high(factor, _FIVES[row, 0])
    lower = factor * _FIVES[row, 0]
    if upper & 0x1FF == 0x1FF:
        carry = multiply_high(factor, _FIVES[row, 1])
        lower += carry
        upper += below(lower, carry)
        if lower == -1:
            return np.int64(-1)
    top = shift_right(upper, 63)
    mantissa = shift_right(upper, top + 9)
    power = ((217706 * exponent) >> 16) + 1086 + top - shift
    if power <= 0:
        return np.int64(-1)
    halfway = -4 <= exponent <= 23 and below(lower, 2) and (mantissa & 3) == 1
    if halfway and mantissa << (top + 9) == upper:
        mantissa &= ~np.int64(1)
    mantissa = (mantissa + (mantissa & 1)) >> 1
    if mantissa >> 53:
        mantissa >>= 1
        power += 1
    if power >= 0x7FF:
        return np.int64(0x7FF0000000000000)
    return (power << 52) | (mantissa & _MANTISSA)


@compiled
def to_integer(flags, digits, exponent, low, high):
    """Turns what `read_decimal` returned into (integer cut towards zero, FINE), (0, OVER) or (0, HARD)."""
    if exponent < 0:
        digits = 0 if exponent < -MAX_DIGITS else digits // POWERS[np.uint64(-exponent)]
    elif exponent > 0 and digits != 0:
        if exponent > MAX_DIGITS or digits > high // POWERS[np.uint64(exponent)]:
            return 0, OVER
        if flags & INEXACT:
            return 0, HARD
        digits *= POWERS[np.uint64(exponent)]
    value = -digits if flags & NEGATIVE else digits
    if value < low or value > high:
        return 0, OVER
    return value, FINE


@compiled
def to_unscaled(flags, digits, exponent, precision, scale):
    """Turns what `read_decimal` returned into (unscaled value of a DECIMAL, rounded half up, FINE).

    (0, OVER) when it has more digits than the precision allows; (0, HARD) when 64 bits do not hold it.
    """
    shift = exponent + scale
    if digits == 0:
        return 0, FINE
    if shift > 38:
        return 0, OVER
    if flags & INEXACT:
        return 0, HARD
    if shift >= 0:
        if shift > MAX_DIGITS or digits > 999999999999999999 // POWERS[np.uint64(shift)]:
            return 0, HARD
        digits *= POWERS[np.uint64(shift)]
    elif shift < -MAX_DIGITS:
        digits = 0
    else:
        divisor = POWERS[np.uint64(-shift)]
        rest = digits % divisor
        digits = digits // divisor + (rest >= divisor - rest)
    if precision <= MAX_DIGITS and digits >= POWERS[np.uint64(precision)]:
        return 0, OVER
    return -digits if flags & NEGATIVE else digits, FINE
