"""The sink that takes everything and keeps nothing."""
