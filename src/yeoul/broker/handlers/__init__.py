"""One file per API: its version range and its deviations from Kafka on top, then how it is answered."""
