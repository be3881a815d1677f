"""`python -m yeoul.broker`: one broker in this process, told by arguments, ready when its first line is printed.

The line is `yeoul broker ready at HOST:PORT`, followed by ` NAME=HOST:PORT` for each listener where there are several.
Errors go to stderr as `error: ...` and `hint: ...`, exit code 1; to a parent that asks for it (`--report-failure`, see
`child`) they go to stdout as one line. `--end-with-stdin` is for parents too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from yeoul.broker.child import FAILED_PREFIX, READY_PREFIX
from yeoul.broker.config import BrokerConfig
from yeoul.broker.configuration.effective import Given, gather, make_config
from yeoul.broker.listeners import Listener, local_address
from yeoul.broker.log_lines import write_log
from yeoul.broker.process import run_broker
from yeoul.errors import UserError, YeoulError

__all__ = ["main"]

_FLAGS = {
    "data_dir": "log.dirs",
    "host": "yeoul.host",
    "port": "yeoul.port",
    "flush": "yeoul.flush",
    "num_partitions": "num.partitions",
    "log_level": "yeoul.log.level",
    "log_format": "yeoul.log.format",
}
_SWITCHES = {"no_auto_create_topics": ("auto.create.topics.enable", "false"), "insecure": ("yeoul.insecure", "true")}


def main(arguments: list[str] | None = None) -> int:
    """Runs a broker until a signal ends it; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        config = _config(options)
        write_log(config.log_level, config.log_format, config.log_file)
        run_broker(
            config, lambda listeners: _announce(listeners, options.ready_file), end_with_stdin=options.end_with_stdin
        )
    except YeoulError as error:
        if options.report_failure:
            print(FAILED_PREFIX + json.dumps([error.message, error.hint]), flush=True)
        else:
            print(f"error: {error.message}", file=sys.stderr)
            if error.hint:
                print(f"hint: {error.hint}", file=sys.stderr)
        return 1
    return 0


def _config(options: argparse.Namespace) -> BrokerConfig:
    flags: dict[str, Given] = {}
    if options.settings_from_stdin:
        flags |= {name: Given(text, "Broker()") for name, text in json.loads(_read_line(sys.stdin.fileno())).items()}
    for text in options.override:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--override expects NAME=VALUE, got {text!r}")
        flags[name] = Given(value, "--override")
    for field, name in _FLAGS.items():
        if (given := getattr(options, field)) is not None:
            flags[name] = Given(str(given), f"--{field.replace('_', '-')}")
    for field, (name, value) in _SWITCHES.items():
        if getattr(options, field):
            flags[name] = Given(value, f"--{field.replace('_', '-')}")
    given = gather(flags, os.environ if options.environment else None, options.config)
    if options.default_data_dir is None and not {"log.dirs", "log.dir"} & given.keys():
        raise UserError("No directory for the data", hint="Give --data-dir, or log.dirs in the configuration")
    return make_config(given, options.default_data_dir or Path(), options.default_port)


def _read_line(descriptor: int) -> bytes:
    """Reads one line and nothing behind it: what follows is the loop's to watch."""
    line = bytearray()
    while not line.endswith(b"\n") and (piece := os.read(descriptor, 65_536)):
        line += piece
    return bytes(line)


def _announce(listeners: tuple[Listener, ...], ready_file: Path | None) -> None:
    address = local_address(listeners)
    if ready_file is not None:
        partial = ready_file.with_suffix(".partial")
        partial.write_text(f"{address}\n")
        partial.replace(ready_file)
    several = "".join(f" {each.name}={local_address((each,))}" for each in listeners) if len(listeners) > 1 else ""
    print(f"{READY_PREFIX}{address}{several}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m yeoul.broker", description="A Kafka-protocol broker.")
    parser.add_argument("--data-dir", type=Path, help="where topics and offsets are kept")
    parser.add_argument("--host", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="0 takes a free one")
    parser.add_argument("--flush", choices=("commit", "interval", "os"), help="when a write is acknowledged (commit)")
    parser.add_argument("--num-partitions", type=int, help="for topics created without a number (1)")
    parser.add_argument("--no-auto-create-topics", action="store_true")
    parser.add_argument("--config", type=Path, help="settings under Kafka's names: server.properties, or TOML")
    parser.add_argument("--environment", action="store_true", help="settings from YEOUL_BROKER_... and KAFKA_...")
    parser.add_argument("--override", action="append", default=[], metavar="NAME=VALUE", help="one setting more")
    parser.add_argument("--default-data-dir", type=Path, help="the directory if nothing says otherwise")
    parser.add_argument("--default-port", type=int, default=0, help="the port if nothing says otherwise")
    parser.add_argument("--ready-file", type=Path, help="where to write HOST:PORT once clients can connect")
    parser.add_argument("--insecure", action="store_true", help="allow an address that other machines can reach")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--log-format", choices=("text", "json"))
    parser.add_argument("--settings-from-stdin", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--end-with-stdin", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--report-failure", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
