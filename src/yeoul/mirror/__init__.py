"""Topics, records and group offsets of one cluster copied to another, exactly once.

Pure: `settings`, `planning` (which topics, partitions and configs), `batches` (fetched batches to batches to write),
`offset_map` (source offsets to target offsets), `progress`. At the edge: `client` (asking a cluster), `writer` (one
transaction after the other), `state` (what is kept at the target), `topics`, `groups`, `session` (from where it stood
until something breaks), `mirror` (sessions until it is done).

What is exact and why: a transaction at the target holds the copied records together with the source positions behind
them and the map of offsets. Whatever dies, the next session takes over the transactional id, which settles what hung,
reads the state that was committed, and goes on from there; nothing is kept anywhere else.
"""
