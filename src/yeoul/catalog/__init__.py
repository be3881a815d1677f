"""What can be named in SQL: tables, views, and the side streams that belong to every table."""
