"""What `topics`, `produce`, `consume` and `groups` do: ordinary Kafka clients, against any cluster."""
