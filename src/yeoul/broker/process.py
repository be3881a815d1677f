"""A broker as a process of its own: its loop, its signals, its end.

Owns `run_broker`, which blocks until SIGTERM or SIGINT and then ends in order; a second SIGINT ends at once. Callers:
`__main__`, and through it `child`; the supervisor of `yeoul up`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable

from yeoul.broker.config import BrokerConfig
from yeoul.broker.listeners import Listener
from yeoul.broker.server import Server
from yeoul.errors import YeoulError

__all__ = ["run_broker"]

_INTERRUPTED = 130


def run_broker(
    config: BrokerConfig, ready: Callable[[tuple[Listener, ...]], None], *, end_with_stdin: bool = False
) -> None:
    """Runs a broker in this process until a signal ends it.

    Args:
        config: Its settings.
        ready: Called once, with the listeners and the ports that were bound, when clients can connect.
        end_with_stdin: End in order when standard input is closed as well: a parent holds the other end of the pipe,
            so that no broker outlives it, however it ends.

    Raises:
        YeoulError: It could not start, or the disk failed while it ran.
    """
    _allow_many_files()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(config, ready, end_with_stdin))


def _allow_many_files() -> None:
    """Raises the soft limit of open files to the hard one: each active partition and each connection holds one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # a hard limit of "unlimited" cannot be reached everywhere
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _run(config: BrokerConfig, ready: Callable[[tuple[Listener, ...]], None], end_with_stdin: bool) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[YeoulError | None] = loop.create_future()

    def end(failure: YeoulError | None = None) -> None:
        if not ended.done():
            ended.set_result(failure)

    def interrupt() -> None:
        if ended.done():
            # Asked twice: what is acknowledged is safe without an orderly end.
            os._exit(_INTERRUPTED)
        end()

    for number, action in ((signal.SIGTERM, end), (signal.SIGINT, interrupt)):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, action)
    if end_with_stdin:
        _end_at_eof(loop, sys.stdin.fileno(), end)
    server = Server(config, loop, end)
    try:
        await server.listen()
        # What was made at the start stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        ready(server.listeners)
        _tell_service_manager("READY=1")
        failure = await ended
    finally:
        _tell_service_manager("STOPPING=1")
        await server.close()
    if failure is not None:
        raise failure


def _tell_service_manager(state: str) -> None:
    """Tells systemd, or what speaks like it, where a service of `Type=notify` stands; nobody is there otherwise.

    Source: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def _end_at_eof(loop: asyncio.AbstractEventLoop, descriptor: int, end: Callable[[], None]) -> None:
    def readable() -> None:
        if not os.read(descriptor, 4_096):
            loop.remove_reader(descriptor)
            end()

    loop.add_reader(descriptor, readable)
