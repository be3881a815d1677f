"""What goes by the order of rows."""
