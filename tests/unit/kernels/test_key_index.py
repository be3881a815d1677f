"""The key index against a dictionary: the same slots are found, kept, freed and given again."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.kernels.key_index import KeyIndex

STEPS = st.lists(
    st.tuples(st.sampled_from(["upsert", "remove", "find"]), st.lists(st.integers(0, 300), max_size=60)), max_size=30
)


def lanes(keys: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Few places and tags, so that keys collide in both."""
    return np.array([key % 7 for key in keys], np.int64), np.array([key << (32 * (key % 2)) for key in keys], np.int64)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_the_index_finds_what_a_dictionary_finds(steps):
    index, model = KeyIndex(), {}
    for what, keys in steps:
        if what == "upsert":
            slots, is_new = index.upsert(*lanes(keys))
            for key, slot, new in zip(keys, slots.tolist(), is_new.tolist(), strict=True):
                assert new == (key not in model)
                assert model.setdefault(key, slot) == slot
        elif what == "remove":
            gone = [key for key in dict.fromkeys(keys) if key in model]
            index.remove(np.array([model.pop(key) for key in gone], np.int64))
        else:
            assert index.find(*lanes(keys)).tolist() == [model.get(key, -1) for key in keys]
        assert len(index) == len(model)
        assert sorted(model.values()) == index.living().tolist()


def test_slots_of_many_keys_survive_growth():
    index, rng = KeyIndex(), np.random.default_rng(3)
    low, high = rng.integers(-(2**63), 2**63 - 1, (2, 50_000))
    first, _ = index.upsert(low, high)
    again, is_new = index.upsert(low[::-1].copy(), high[::-1].copy())
    assert not is_new.any()
    assert again[::-1].tolist() == first.tolist() == list(range(50_000))


def test_a_freed_slot_is_given_to_the_next_key():
    index = KeyIndex()
    slots, _ = index.upsert(np.array([1, 2, 3]), np.array([1, 2, 3]))
    index.remove(slots[1:2])
    again, is_new = index.upsert(np.array([9]), np.array([9]))
    assert (again.tolist(), is_new.tolist(), index.slot_count) == ([1], [True], 3)


def test_fingerprints_are_those_of_the_keys_however_the_index_grew():
    index, keys = KeyIndex(), np.arange(30_000)
    for some in np.split(keys, [8_943, 8_944, 20_001]):
        slots, _ = index.upsert(some, -some)
        low, high = index.fingerprints(slots)
        assert (low == some).all()
        assert (high == -some).all()
