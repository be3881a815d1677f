"""From what rows were to what they are: whose turn it is to be given out, in the order of a changelog.

A row that differs is given twice, as it was and right behind as it is; one that is new only as it is, one that is gone
only as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import load_u8, load_u32, load_u64, store_u32, store_u64

__all__ = ["Turns", "picked_words", "turns_of"]

_Word = TypeVar("_Word", np.int64, np.float64)


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def _turns(is_new, lives, differs, count, rows, places, weights):
    """Writes each turn's row, its place among the rows as they were and as they are, and its weight; returns how many.

    What is written behind the last turn is written over by the next one, so there is room for two turns a row.
    """
    turns = 0
    for row in range(count):
        new, alive, other = load_u8(is_new + row), load_u8(lives + row), load_u8(differs + row)
        store_u32(rows + turns * 4, row)
        store_u32(places + turns * 4, row)
        store_u64(weights + turns * 8, -1)
        turns += (1 - new) & (other | (1 - alive))
        if alive & (new | other):
            store_u32(rows + turns * 4, row)
            store_u32(places + turns * 4, row + count)
            store_u64(weights + turns * 8, 1)
            turns += 1
    return turns


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _pick(before, after, count, places, turns, target):
    """Writes each turn's word; returns how many there are."""
    behind = after - count * 8
    for turn in range(turns):
        place = load_u32(places + turn * 4)
        store_u64(target + turn * 8, load_u64((before if place < count else behind) + place * 8))
    return turns


@dataclass(frozen=True, slots=True)
class Turns:
    """What is given out.

    Attributes:
        rows: Whose turn it is.
        places: Where the row is found if all rows as they were stand before all rows as they are.
        weights: -1 for what a row was, +1 for what it is.
    """

    rows: NDArray[np.uint32]
    places: NDArray[np.uint32]
    weights: NDArray[np.int64]


def turns_of(is_new: NDArray[np.bool_], lives: NDArray[np.bool_], differs: NDArray[np.bool_]) -> Turns:
    """Returns whose turn it is.

    Args:
        is_new: Which rows were not there before.
        lives: Which are there now.
        differs: Which were another, of those that were and are there; of others it does not matter.

    Example:
        >>> new, lives, differs = (np.array(each, np.bool_) for each in ([1, 0, 0, 0], [1, 1, 1, 0], [0, 1, 0, 0]))
        >>> turns = turns_of(new, lives, differs)
        >>> turns.rows.tolist(), turns.places.tolist(), turns.weights.tolist()
        ([0, 1, 1, 3], [4, 1, 5, 3], [1, -1, 1, -1])
    """
    count, given = len(is_new), [np.ascontiguousarray(each, np.bool_) for each in (is_new, lives, differs)]
    room = 2 * count + 1
    rows, places, weights = np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty(room, np.int64)
    addresses = [address_of(each) for each in (*given, rows, places, weights)]
    turns = _turns(*addresses[:3], count, *addresses[3:])
    return Turns(rows[:turns], places[:turns], weights[:turns])


def picked_words(before: NDArray[_Word], after: NDArray[_Word], turns: Turns) -> NDArray[_Word]:
    """Returns, turn by turn, what a row's value was or is; both arrays have a value for each row.

    Example:
        >>> yes = np.array([True])
        >>> picked_words(np.array([7]), np.array([8]), turns_of(~yes, yes, yes)).tolist()
        [7, 8]
    """
    was, is_ = np.ascontiguousarray(before), np.ascontiguousarray(after)
    target = np.empty(len(turns.places), was.dtype)
    places = address_of(turns.places)
    _pick(address_of(was), address_of(is_), len(was), places, len(target), address_of(target))
    return target
