"""What goes by windows."""
