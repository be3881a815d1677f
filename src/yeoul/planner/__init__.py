"""SQL text becomes bound statements over plan nodes. `sql` is the door; sqlglot's nodes never leave this room."""
