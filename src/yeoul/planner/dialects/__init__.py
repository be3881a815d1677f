"""The SQL dialects that can be read: text to syntax trees, nothing resolved."""
