"""`yeoul demo`: a live tour of the whole path, from ordinary Kafka producers to answers on a page.

`run` starts the parts, each a process: the broker, `producers` (two event streams through an ordinary Kafka client),
`jobs` (the SQL in `statements`), and `web` (the page). `board` is what the page and the terminal view show, a pure
fold over the records of the result topics; `feed` reads those.
"""
