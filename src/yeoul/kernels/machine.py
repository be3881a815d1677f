"""The few machine operations that the kernels are written in: loads, stores, vector compares, wide multiplication.

Kernels work on addresses (int64), not on arrays: an array brings a struct of seven members, wrap-around of negative
indexes and reference counts into every function, which costs both speed and compile time. The price is that nothing
here checks anything. Two rules keep that safe, and every kernel is written to them:

- whoever holds the address also holds the object that owns the memory, for the whole call;
- input is only handed to a scanning kernel when `SLACK_BYTES` readable bytes follow its end, so that an unaligned
  vector load at any position up to the end stays inside. Callers copy what lies too near to the end of its buffer.

Every integer is an int64 that holds bits: Numba turns int64 mixed with uint64 into a double, so one type is used
throughout, with `shift_right` and `below` where the sign bit must not count.

Vector operations are written in LLVM's portable vectors of 32 bytes; on x86-64 a compare and its bit mask become two
instructions, elsewhere LLVM finds its own way. Only the kernels import this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic

__all__ = [
    "SLACK_BYTES",
    "as_f64",
    "below",
    "byte_swap",
    "call_reader",
    "compiled",
    "copy_block",
    "copy_bytes",
    "different_bytes",
    "equal_bytes",
    "first_set",
    "high_bytes",
    "inlined",
    "json_escapes",
    "leading_zeros",
    "load_f64",
    "load_u8",
    "load_u16",
    "load_u32",
    "load_u64",
    "multiply_high",
    "newline_bytes",
    "prefetch",
    "shift_right",
    "store_f64",
    "store_u8",
    "store_u16",
    "store_u32",
    "store_u64",
    "string_ends",
    "string_specials",
]

SLACK_BYTES = 128
"""How many readable bytes must follow the last byte of what a scanning kernel is given."""

intrinsic: Any = numba_intrinsic
_njit: Any = numba.njit

compiled = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")
"""Makes a function that only kernels call: no wrapper for Python, no exception on division by zero."""

inlined = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy", forceinline=True)
"""The same, its code put into every caller."""

_I64 = ir.IntType(64)
_I8 = ir.IntType(8)
_LANES = 32
_VECTOR = ir.VectorType(_I8, _LANES)


def _pointer(builder: Any, address: Any, pointee: Any) -> Any:
    return builder.inttoptr(address, pointee.as_pointer())


def _load(width_bits: int) -> Any:
    def typer(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.IntType(width_bits)
            value = builder.load(_pointer(builder, args[0], kind), align=1)
            return value if width_bits == 64 else builder.zext(value, _I64)

        return types.int64(types.int64), codegen

    return intrinsic(typer)


def _store(width_bits: int) -> Any:
    def typer(typingctx: Any, address: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.IntType(width_bits)
            narrow = args[1] if width_bits == 64 else builder.trunc(args[1], kind)
            builder.store(narrow, _pointer(builder, args[0], kind), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), codegen

    return intrinsic(typer)


load_u8 = _load(8)
load_u16 = _load(16)
load_u32 = _load(32)
load_u64 = _load(64)
store_u8 = _store(8)
store_u16 = _store(16)
store_u32 = _store(32)
store_u64 = _store(64)


@intrinsic
def load_f64(typingctx: Any, address: Any) -> Any:
    """Returns the eight bytes at an address as a double."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(builder, args[0], ir.DoubleType()), align=1)

    return types.float64(types.int64), codegen


@intrinsic
def store_f64(typingctx: Any, address: Any, value: Any) -> Any:
    """Writes a double at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], _pointer(builder, args[0], ir.DoubleType()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.float64), codegen


@intrinsic
def prefetch(typingctx: Any, address: Any) -> Any:
    """Asks for the cache line of an address, which is not read and may be anything."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", [_I8.as_pointer()], kind)
        builder.call(function, [_pointer(builder, args[0], _I8), word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def copy_block(typingctx: Any, target: Any, source: Any) -> Any:
    """Copies 32 bytes from one address to another; the blocks may not overlap."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        block = builder.load(_pointer(builder, args[1], _VECTOR), align=1)
        builder.store(block, _pointer(builder, args[0], _VECTOR), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def call_reader(typingctx: Any, function: Any, call: Any, leaf: Any, index: Any, p: Any, end: Any, row: Any) -> Any:
    """Calls the function of six integers at an address; returns its integer. It stays out of the caller's code."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(_I64, [_I64] * 6)
        return builder.call(_pointer(builder, args[0], kind), args[1:])

    return types.int64(*[types.int64] * 7), codegen


@intrinsic
def byte_swap(typingctx: Any, value: Any) -> Any:
    """Turns the order of the eight bytes of an integer around."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bswap(args[0])

    return types.int64(types.int64), codegen


@intrinsic
def copy_bytes(typingctx: Any, target: Any, source: Any, count: Any) -> Any:
    """Copies any number of bytes from one address to another; the ranges may not overlap."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target, source = (_pointer(builder, arg, _I8) for arg in args[:2])
        cgutils.raw_memcpy(builder, target, source, args[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


def _splat(byte: int) -> Any:
    return ir.Constant(_VECTOR, [byte] * _LANES)


def _bits(builder: Any, lanes: Any) -> Any:
    return builder.zext(builder.bitcast(lanes, ir.IntType(_LANES)), _I64)


def _mask(build: Callable[[Any, Any], Any]) -> Any:
    """Makes an intrinsic from an address to the 32 bits that say for which of its bytes a predicate holds."""

    def typer(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            block = builder.load(_pointer(builder, args[0], _VECTOR), align=1)
            return _bits(builder, build(builder, block))

        return types.int64(types.int64), codegen

    return intrinsic(typer)


string_ends = _mask(lambda builder, block: builder.icmp_signed("==", block, _splat(0x22)))
"""Which of the 32 bytes at an address are a double quote."""

string_specials = _mask(
    lambda builder, block: builder.or_(
        builder.icmp_signed("<", block, _splat(0x20)), builder.icmp_signed("==", block, _splat(0x5C))
    )
)
"""Which of the 32 bytes at an address need a closer look inside a JSON string: a backslash, a control character, or
(a signed compare finds them for nothing) a byte above 0x7F."""

high_bytes = _mask(lambda builder, block: builder.icmp_signed("<", block, _splat(0)))
"""Which of the 32 bytes at an address are above 0x7F."""

json_escapes = _mask(
    lambda builder, block: builder.or_(
        builder.icmp_unsigned("<", block, _splat(0x20)),
        builder.or_(builder.icmp_signed("==", block, _splat(0x22)), builder.icmp_signed("==", block, _splat(0x5C))),
    )
)
"""Which of the 32 bytes at an address JSON wants escaped: control characters, the quote, the backslash."""

newline_bytes = _mask(lambda builder, block: builder.icmp_signed("==", block, _splat(0x0A)))
"""Which of the 32 bytes at an address are a line feed."""


@intrinsic
def equal_bytes(typingctx: Any, address: Any, byte: Any) -> Any:
    """Returns which of the 32 bytes at an address are the given one, one bit a byte; none where it is negative."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        block = builder.load(_pointer(builder, args[0], _VECTOR), align=1)
        nothing, word = ir.Constant(_VECTOR, ir.Undefined), ir.IntType(32)
        first = builder.insert_element(nothing, builder.trunc(args[1], _I8), word(0))
        wanted = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(word, _LANES), [0] * _LANES))
        found = _bits(builder, builder.icmp_signed("==", block, wanted))
        return builder.select(builder.icmp_signed("<", args[1], _I64(0)), _I64(0), found)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def different_bytes(typingctx: Any, left: Any, right: Any) -> Any:
    """Returns in which of their 32 bytes two addresses differ, one bit a byte."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, second = (builder.load(_pointer(builder, arg, _VECTOR), align=1) for arg in args)
        return _bits(builder, builder.icmp_signed("!=", first, second))

    return types.int64(types.int64, types.int64), codegen


def _count_zeros(name: str) -> Any:
    def typer(typingctx: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            flag = ir.Constant(ir.IntType(1), 0)
            count = builder.ctlz if name == "ctlz" else builder.cttz
            return count(args[0], flag)

        return types.int64(types.int64), codegen

    return intrinsic(typer)


first_set = _count_zeros("cttz")
"""The position of the lowest set bit; 64 when there is none."""

leading_zeros = _count_zeros("ctlz")
"""How many zero bits stand above the highest set one; 64 when there is none."""


@intrinsic
def shift_right(typingctx: Any, value: Any, count: Any) -> Any:
    """Shifts right, zeros coming in from above; the count is below 64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.lshr(args[0], args[1])

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def below(typingctx: Any, left: Any, right: Any) -> Any:
    """Whether the left is less than the right, both taken as unsigned."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.icmp_unsigned("<", args[0], args[1])

    return types.boolean(types.int64, types.int64), codegen


@intrinsic
def as_f64(typingctx: Any, value: Any) -> Any:
    """Returns the double whose bits are given."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@intrinsic
def multiply_high(typingctx: Any, left: Any, right: Any) -> Any:
    """Returns the upper 64 bits of the product of two integers taken as unsigned."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), _I64)

    return types.int64(types.int64, types.int64), codegen
