"""What can be set, by name: keys with their types and texts, where a value comes from, and what may be changed."""
