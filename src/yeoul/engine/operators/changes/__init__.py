"""Changes taken in, given out and settled."""
