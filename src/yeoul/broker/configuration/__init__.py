"""A broker's settings as texts, under Kafka's own names: files, environment, flags, and what they come to.

`table` says what each name means to this broker, `kafka_names` what Kafka knows and one node has no use for, `sources`
reads files and the environment, `effective` puts them over one another and makes the `BrokerConfig`.
"""
