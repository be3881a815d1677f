"""One file a command. Importing one costs next to nothing: what it needs is imported when it runs."""
