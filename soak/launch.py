"""`python -m soak.launch`: the broker under test, told apart from an ordinary one by what the soak does to it.

It tells clients the proxy's address instead of its own, and may run on a disk that forgets. Everything else is the
broker as it is shipped. Caller: `server`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import yeoul.broker.server
import yeoul.log.directory
from soak.forgetful_disk import ForgetfulDisk
from yeoul.broker.config import BrokerConfig
from yeoul.broker.process import run_broker
from yeoul.errors import YeoulError

__all__ = ["main"]


def main() -> int:
    """Runs the broker until a signal ends it; prints `ready` once clients can connect."""
    given = _parser().parse_args()
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s")
    if given.forgetful:
        disk = ForgetfulDisk(given.data_dir, given.seed)
        yeoul.log.directory.RealDisk = lambda: disk  # type: ignore[assignment, misc]
    _advertise(given.advertised_port)
    config = BrokerConfig(
        data_dir=given.data_dir,
        port=given.port,
        flush=given.flush,
        auto_create_topics=False,
        transaction_max_timeout_ms=60_000,
    )
    try:
        run_broker(config, lambda address: print("ready", flush=True), end_with_stdin=True)
    except YeoulError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    return 0


def _advertise(port: int) -> None:
    """Makes the broker tell clients another port than the one that it listens on."""
    listen = yeoul.broker.server.Server.listen

    async def listen_and_tell(server: yeoul.broker.server.Server) -> None:
        await listen(server)
        server.node.port = port

    yeoul.broker.server.Server.listen = listen_and_tell  # type: ignore[method-assign]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m soak.launch", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--advertised-port", type=int, required=True)
    parser.add_argument("--flush", choices=("commit", "interval", "os"), default="commit")
    parser.add_argument("--forgetful", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
