"""The Kafka protocol as bytes: frames, messages, record batches. Pure: no sockets, no clocks.

Modules: `errors` (the protocol's error codes), `compression` (the four codecs, bounded), `records` (record batch v2),
`schema` (how a message is declared and compiled), `messages` (one module per API), `frames` (headers), `produce` and
`fetch` (the two hot messages, written by hand so that record data is never copied).
"""
