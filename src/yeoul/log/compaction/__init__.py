"""Compaction: of each key only the newest record stays (`cleanup.policy=compact`).

    plan          what is to be cleaned, as a value that can be handed to another process      (pure)
    transactions  which batches belong to aborted transactions, which markers still have data  (pure)
    pieces        stored batches as columns
    cleaning      two passes over the segments: note every key's newest offset, copy what stays
    swapping      the cleaned files take the places of the old ones, whole or not at all
    partition     one partition's part: how dirty it is, its plan, its swap
    child         cleaning in a process of its own, so that Numba and the key table are gone afterwards
    scheduling    which partition is cleaned next

Cleaning reads sealed segments, which nobody writes to, and makes new files beside them; only the swap touches what is
read. Offsets never change: a cleaned log has gaps.
"""
