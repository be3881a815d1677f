"""What is to be computed: types, expressions, logical nodes. Frozen values, no library's nodes inside, no effects."""
