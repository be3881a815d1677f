"""Client families behind two small contracts: see `contract`. One file a family; none knows another."""
