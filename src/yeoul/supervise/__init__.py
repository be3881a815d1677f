"""Processes kept running together, for `yeoul up` and `yeoul demo`.

`decisions` (pure) says what is to be done with which child, `supervisor` does it, `children` says how each is called,
`ready` is how a child says that it answers, `tether` ties a child to its parent's life.
"""
