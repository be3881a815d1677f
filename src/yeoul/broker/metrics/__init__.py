"""What a broker counts, and how Prometheus and health checks read it.

`traffic` counts on the hot paths in plain integers, `exposition` gives everything its Kafka name when it is asked for,
`serving` answers HTTP. Nothing of it exists, and nothing is counted, unless a metrics port is set.
"""
