"""Runs a page: binds the port, serves until SIGTERM or Ctrl-C, says when it is ready.

The page's process holds no data of its own: what it shows it reads from the broker. It binds loopback unless told
otherwise, and loads nothing from outside the machine.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from nicegui import app, ui

from yeoul.errors import EnvironmentFailure

__all__ = ["free_port", "serve"]


def free_port(host: str, port: int) -> int:
    """Returns `port` if it can be bound on `host`, or a free one for 0.

    Raises:
        EnvironmentFailure: The port is taken, or the address is not this machine's.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as failure:
            raise EnvironmentFailure(
                f"The page cannot listen on {host}:{port}: {os.strerror(failure.errno or 0)}",
                hint="Choose another with --http-port, or 0 for any free one",
            ) from failure
        return int(probe.getsockname()[1])


def serve(
    page: Callable[[], None], *, title: str, host: str, port: int, ready_file: Path | None, on_stop: Callable[[], None]
) -> None:
    """Serves `page`, built anew for each visitor, until the process is told to stop.

    Args:
        page: Builds the page's elements.
        title: The browser's title.
        host: The address to bind.
        port: The port to bind, 0 for any free one.
        ready_file: Where to write `http://HOST:PORT` once requests are answered.
        on_stop: Called once when the server stops.
    """
    bound = free_port(host, port)

    def ready() -> None:
        if ready_file is not None:
            partial = ready_file.with_suffix(".partial")
            partial.write_text(f"http://{host}:{bound}")
            partial.replace(ready_file)

    app.on_startup(ready)
    app.on_shutdown(on_stop)
    signal.signal(signal.SIGTERM, lambda *_: app.shutdown())
    ui.run(
        page,
        host=host,
        port=bound,
        title=title,
        dark=True,
        show=False,
        reload=False,
        show_welcome_message=False,
        binding_refresh_interval=None,  # nothing is bound, so nobody has to look ten times a second
        tailwind=False,
        favicon="〰️",
    )
