"""The log: topics of partitions of segments on one disk, durable before it says so.

Start reading at `directory.Log` (a data directory), then `partition.PartitionLog` (one ordered log), then
`flusher.Flusher` (when bytes become durable). What may be decided without touching the disk is in `recovery`,
`producers`, `index` and `retention`, which are pure. Called by `yeoul.broker` only.
"""
