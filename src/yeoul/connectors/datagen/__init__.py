"""The source that makes rows up: random or counting, at a rate."""
