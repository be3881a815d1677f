"""The source over what a job set aside: late rows and dead records."""
