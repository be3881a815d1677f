"""yeoul: a Kafka-protocol log, an event-time engine and familiar doors to both, on one machine."""

__version__ = "0.1.0"
