"""`python -m soak.launch`: the broker under test, told apart from an ordinary one by what the soak does to it.

It tells clients the proxy's address instead of its own, and may run on a disk that forgets. Everything else is the
broker as it is shipped. Caller: `server`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from functools import partial
from pathlib import Path

import yeoul.broker.server
from soak.forgetful_disk import ForgetfulDisk
from yeoul.broker.config import BrokerConfig
from yeoul.broker.listeners import Listener
from yeoul.broker.process import run_broker
from yeoul.errors import YeoulError
from yeoul.log.directory import Log

__all__ = ["main"]


def main() -> int:
    """Runs the broker until a signal ends it; prints `ready` once clients can connect."""
    given = _parser().parse_args()
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s")
    if given.forgetful:
        disk = ForgetfulDisk(given.data_dir, given.seed)
        yeoul.broker.server.Log = partial(Log, disk=disk)  # type: ignore[assignment, misc]
    listener = Listener("PLAINTEXT", "127.0.0.1", given.port, advertised_port=given.advertised_port)
    config = BrokerConfig(
        data_dir=given.data_dir,
        listeners=(listener,),
        flush=given.flush,
        auto_create_topics=False,
        transaction_max_timeout_ms=60_000,
        cleaner_backoff_ms=1_000,
    )
    try:
        run_broker(config, lambda address: print("ready", flush=True), end_with_stdin=True)
    except YeoulError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    return 0


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
