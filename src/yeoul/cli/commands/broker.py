"""`yeoul broker`: the log alone, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from yeoul.cli.options import (
    DEFAULT_DATA_DIR,
    DEFAULT_KAFKA_PORT,
    BrokerDataDir,
    BrokerHost,
    BrokerPort,
    ConfigFile,
    Insecure,
    Overrides,
    ReadyFile,
)

if TYPE_CHECKING:
    from yeoul.broker.configuration.effective import Given, Shown

__all__ = ["broker"]


def broker(
    data_dir: BrokerDataDir = None,
    host: BrokerHost = None,
    kafka_port: BrokerPort = None,
    listeners: Annotated[
        str | None,
        typer.Option(metavar="NAME://HOST:PORT,...", help="Where to listen, instead of --host and --kafka-port."),
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(
            "--partitions",
            min=1,
            show_default="1",
            help="Partitions of topics that are created without saying how many. (num.partitions)",
        ),
    ] = None,
    auto_create: Annotated[
        bool | None,
        typer.Option(
            "--auto-create-topics/--no-auto-create-topics",
            show_default="--auto-create-topics",
            help="Whether asking for an unknown topic creates it. (auto.create.topics.enable)",
        ),
    ] = None,
    flush: Annotated[
        Literal["commit", "interval", "os"] | None,
        typer.Option(
            show_default="commit",
            help="When a write is acknowledged: on the disk, soon on the disk, or left to the system.",
        ),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, show_default="none", help="Serve Prometheus metrics, /health and /ready on this port."
        ),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(show_default="warning", help="The least that is logged, to stderr."),
    ] = None,
    log_format: Annotated[
        Literal["text", "json"] | None, typer.Option(show_default="text", help="One event a line, in this form.")
    ] = None,
    ready_file: ReadyFile = None,
    insecure: Insecure = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print what each setting comes to and where from, and exit.")
    ] = False,
) -> None:
    """Run the Kafka-protocol broker until Ctrl-C.

    Every setting can also be made in a file (--config), in the environment (YEOUL_BROKER_NUM_PARTITIONS or, as Kafka's
    image has it, KAFKA_NUM_PARTITIONS) and by --override; flags go before the environment, and that before the file.
    """
    import os

    from yeoul.broker.configuration.effective import Given, effective_settings, gather, make_config
    from yeoul.broker.listeners import Listener, local_address
    from yeoul.broker.log_lines import write_log
    from yeoul.broker.process import run_broker
    from yeoul.cli.options import parse_properties
    from yeoul.supervise.ready import write_ready_file

    flags = {name: Given(text, "--override") for name, text in parse_properties(overrides, option="--override").items()}
    for flag, name, value in (
        ("--data-dir", "log.dirs", data_dir),
        ("--host", "yeoul.host", host),
        ("--kafka-port", "yeoul.port", kafka_port),
        ("--listeners", "listeners", listeners),
        ("--partitions", "num.partitions", partitions),
        ("--auto-create-topics", "auto.create.topics.enable", auto_create),
        ("--flush", "yeoul.flush", flush),
        ("--metrics-port", "yeoul.metrics.port", metrics_port),
        ("--log-level", "yeoul.log.level", log_level),
        ("--log-format", "yeoul.log.format", log_format),
        ("--insecure", "yeoul.insecure", insecure or None),
    ):
        if value is not None:
            flags[name] = Given(str(value).lower() if isinstance(value, bool) else str(value), flag)
    given: dict[str, Given] = gather(flags, os.environ, config)
    settings = make_config(given, DEFAULT_DATA_DIR, DEFAULT_KAFKA_PORT)
    if print_config:
        _print(effective_settings(settings, given))
        return

    def announce(bound: tuple[Listener, ...]) -> None:
        kafka = local_address(bound)
        if ready_file is not None:
            write_ready_file(ready_file, {"kafka": kafka})
        several = f" ({', '.join(each.url for each in bound)})" if len(bound) > 1 else ""
        print(f"yeoul broker is up: kafka {kafka}{several} (Ctrl-C stops)", flush=True)

    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    write_log(settings.log_level, settings.log_format, settings.log_file)
    run_broker(settings, announce)


def _print(shown: list[Shown]) -> None:
    width = max(len(each.name) + len(each.value) for each in shown) + 1
    for each in shown:
        print(f"{f'{each.name}={each.value}':<{width}}  # {each.origin}")
