"""The web console: pages that work offline. `server` runs them, `theme` is their look, `charts` their drawings.

`python -m yeoul.console --bootstrap HOST:PORT --port N` serves the overview of a broker (`overview`, `watcher`);
`yeoul.demo` serves its own page with the same pieces.
"""
