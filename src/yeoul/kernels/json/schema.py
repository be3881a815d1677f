"""What to read: the columns and the objects around them, as the tables that the compiled code walks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.json.row import KEY_WORDS, NODE_WORDS
from yeoul.kernels.json.state import BOOLEAN, BYTES, DECIMAL, JSON_TEXT, LEAF_WORDS, ROW, STRING
from yeoul.kernels.machine import SLACK_BYTES

__all__ = ["JsonField", "JsonSchema"]

_FACTOR = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
_MOST_ROWS = 255
_SLOT_BYTES = {STRING: 16, BYTES: 16, JSON_TEXT: 16, DECIMAL: 16, BOOLEAN: 1, ROW: 0}


@dataclass(frozen=True, slots=True)
class JsonField:
    """A field to read.

    Attributes:
        name: The key, matched exactly.
        kind: One of the kinds in `state`.
        low: Least integer; the precision of a decimal; the digits of a second that a timestamp keeps.
        high: Greatest integer; the scale of a decimal; 1 for a timestamp that ends in Z.
        cuts: Whether an integer may be read from a number with a fraction, which is cut.
        fields: For a ROW, the fields inside.
    """

    name: str
    kind: int
    low: int = 0
    high: int = 0
    cuts: bool = False
    fields: tuple[JsonField, ...] = ()

    @property
    def slot_bytes(self) -> int:
        """The bytes that a value takes: 16 for views and decimals, 1 for booleans, 0 for a ROW itself, else 8."""
        return _SLOT_BYTES.get(self.kind, 8)

    def leaves(self) -> Iterator[JsonField]:
        """Returns this field and all inside it, depth first: the order of the leaf table."""
        yield self
        for inner in self.fields:
            yield from inner.leaves()


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """Fields with their key tables; immutable, shared by all calls.

    Attributes:
        fields: The fields of the outermost object.
        leaves: All fields, those of a ROW right behind it.
        slot_bytes: The bytes that a value of each takes.
        leaf_table: The leaf table, addresses still open, int64, shape (leaves, LEAF_WORDS).
        nodes: The node table, int64, shape (objects, NODE_WORDS).
    """

    fields: tuple[JsonField, ...]
    leaves: tuple[JsonField, ...] = field(init=False)
    slot_bytes: tuple[int, ...] = field(init=False)
    leaf_table: NDArray[np.int64] = field(init=False)
    nodes: NDArray[np.int64] = field(init=False)
    _owned: list[NDArray[np.generic]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        leaves = tuple(leaf for outer in self.fields for leaf in outer.leaves())
        rows = [index for index, leaf in enumerate(leaves) if leaf.kind == ROW]
        if len(rows) > _MOST_ROWS:
            raise ValueError(f"at most {_MOST_ROWS} nested rows, got {len(rows)}")
        object.__setattr__(self, "leaves", leaves)
        object.__setattr__(self, "slot_bytes", tuple(leaf.slot_bytes for leaf in leaves))
        object.__setattr__(self, "_owned", [])
        node_of = {index: number + 1 for number, index in enumerate(rows)}
        object.__setattr__(self, "leaf_table", self._leaf_table(node_of))
        nodes = [self._node(self.fields, 0)]
        nodes += [self._node(leaves[index].fields, index + 1) for index in rows]
        object.__setattr__(self, "nodes", np.array(nodes, np.int64))

    def _leaf_table(self, node_of: dict[int, int]) -> NDArray[np.int64]:
        table = np.zeros((len(self.leaves), LEAF_WORDS), np.int64)
        for index, leaf in enumerate(self.leaves):
            low = node_of.get(index, leaf.low)
            span = sum(1 for _ in leaf.leaves()) - 1
            table[index] = (leaf.kind, 0, 0, low, leaf.high, leaf.slot_bytes, span, leaf.cuts)
        return table

    def _node(self, fields: Sequence[JsonField], first: int) -> tuple[int, ...]:
        """Builds the hash table of an object's keys; `first` is the number of the leaf of its first field."""
        bits = max(1, (2 * len(fields) - 1).bit_length())
        table = np.zeros((1 << bits, KEY_WORDS), np.int64)
        table[:, 1] = -1
        number = first
        for inner in fields:
            name = inner.name.encode()
            text = np.frombuffer(name + bytes(SLACK_BYTES), np.uint8)
            self._owned.append(text)
            place = _hash(name, bits)
            while table[place, 1] >= 0:
                place = (place + 1) & ((1 << bits) - 1)
            head = int.from_bytes(name[:8].ljust(8, b"\0"), "little", signed=True)
            table[place] = (address_of(text), len(name), number, head)
            number += 1 + sum(1 for _ in inner.leaves()) - 1
        self._owned.append(table)
        node = (address_of(table), bits)
        assert len(node) == NODE_WORDS
        return node


def _hash(name: bytes, bits: int) -> int:
    """What `row.key_hash` computes."""
    head = int.from_bytes(name[:8], "little")
    tail = int.from_bytes(name[-8:], "little") if len(name) > 8 else 0
    return ((head * 31 + tail + (len(name) << 56)) * _FACTOR & _WORD) >> (64 - bits)
