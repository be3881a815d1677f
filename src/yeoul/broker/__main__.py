"""`python -m yeoul.broker`: one broker in this process, told by arguments, ready when its first line is printed.

The line is `yeoul broker ready at HOST:PORT`. Errors go to stderr as `error: ...` and `hint: ...`, exit code 1; to a
parent that asks for it (`--report-failure`, see `child`) they go to stdout as one line.
`--end-with-stdin` is for parents too.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from yeoul.broker.child import FAILED_PREFIX, READY_PREFIX
from yeoul.broker.config import BrokerConfig
from yeoul.broker.process import run_broker
from yeoul.errors import YeoulError

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Runs a broker until a signal ends it; returns the exit code."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=given.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    try:
        config = BrokerConfig(
            data_dir=given.data_dir,
            host=given.host,
            port=given.port,
            flush=given.flush,
            num_partitions=given.num_partitions,
            auto_create_topics=not given.no_auto_create_topics,
            insecure=given.insecure,
        )
        run_broker(config, lambda address: _announce(address, given.ready_file), end_with_stdin=given.end_with_stdin)
    except YeoulError as error:
        if given.report_failure:
            print(FAILED_PREFIX + json.dumps([error.message, error.hint]), flush=True)
        else:
            print(f"error: {error.message}", file=sys.stderr)
            if error.hint:
                print(f"hint: {error.hint}", file=sys.stderr)
        return 1
    return 0


def _announce(address: tuple[str, int], ready_file: Path | None) -> None:
    if ready_file is not None:
        partial = ready_file.with_suffix(".partial")
        partial.write_text(f"{address[0]}:{address[1]}\n")
        partial.replace(ready_file)
    print(f"{READY_PREFIX}{address[0]}:{address[1]}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m yeoul.broker", description="A Kafka-protocol broker.")
    parser.add_argument("--data-dir", type=Path, required=True, help="where topics and offsets are kept")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--flush", choices=("commit", "interval", "os"), default="commit")
    parser.add_argument("--num-partitions", type=int, default=1, help="for topics created without a number")
    parser.add_argument("--no-auto-create-topics", action="store_true")
    parser.add_argument("--ready-file", type=Path, help="where to write HOST:PORT once clients can connect")
    parser.add_argument("--insecure", action="store_true", help="allow an address that other machines can reach")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="warning")
    parser.add_argument("--end-with-stdin", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--report-failure", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
