"""`python -m yeoul.console --bootstrap HOST:PORT [--host H] [--port N] [--ready-file F]`: the overview page."""

from __future__ import annotations

import argparse
from pathlib import Path

from nicegui import ui

from yeoul.console.overview import Overview
from yeoul.console.server import serve
from yeoul.console.watcher import Watcher

_REFRESH_S = 1.0


def main() -> None:
    """Serves the page until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="Serves the overview of a Kafka-protocol broker.")
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready-file", type=Path)
    options = parser.parse_args()
    watcher = Watcher(options.bootstrap)
    watcher.start()

    def page() -> None:
        view = Overview(options.bootstrap)
        view.show(watcher)
        ui.timer(_REFRESH_S, lambda: view.show(watcher))

    serve(
        page, title="yeoul", host=options.host, port=options.port, ready_file=options.ready_file, on_stop=watcher.close
    )


if __name__ == "__main__":
    main()
