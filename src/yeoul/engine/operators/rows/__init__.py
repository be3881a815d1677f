"""Row by row, or rows as they come: no state, or a count."""
