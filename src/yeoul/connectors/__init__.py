"""One folder per connector, behind one contract (`yeoul.engine.contract`); none knows another. `registry` has them."""
