"""Two inputs, or one and a table outside."""
