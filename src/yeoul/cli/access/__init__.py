"""What `yeoul users` and `yeoul acls` do: on the directory of a stopped broker, or through a running one."""
