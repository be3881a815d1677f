"""What operators remember: columnar, bounded by what the query needs, dropped whole when it is no longer needed."""
