"""Groups of the classic protocol: members join and sync together, their leader assigns partitions."""
