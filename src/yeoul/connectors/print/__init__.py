"""The sink that shows rows as Flink's `print` connector does."""
