"""Kafka topics as tables, read by our own columnar client.

Modules: `spec` (options), `settings` (options as values), `security` (TLS, SASL), `connection` (one socket), `cluster`
(metadata, offsets), `offsets` (where partitions start and end), `reader` (fetching), `pieces` (record batches to
records), `source`, `sink`.
"""
