"""A long run of the engine at a steady rate: is its memory flat, and are its answers right?

`make soak-engine ARGS="--minutes 30"`. A paced producer fills a topic; one `yeoul sql` process runs five jobs over it
(tumbling windows, sessions, an updating GROUP BY with a time to live, an interval join, a window Top-N); every ten
seconds the memory of broker and jobs is noted. At the end the answers are compared with DuckDB's over the same events,
made again from the seed, and the memory's slope after the warm-up is judged.
"""
