"""Classic consumer groups: who reads which partitions, and how far. Pure; see `coordinator` for the seam."""
