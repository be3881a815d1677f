"""The command tree, and the one place where errors become text and exit codes.

Exit codes: 0 done, 1 a `YeoulError`, 2 the command line itself was wrong, 130 interrupted. A `YeoulError` is told as
`error: ...` and `hint: ...` on stderr, never as a traceback; whoever closes our standard output early (`| head`) has
seen enough, and that is no error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.core import TyperGroup

from yeoul import __version__
from yeoul.cli.commands import (
    acls,
    broker,
    cluster,
    configs,
    consume,
    demo,
    doctor,
    groups,
    log_dirs,
    mirror,
    offsets,
    perf,
    produce,
    sql,
    topics,
    transactions,
    up,
    users,
    verify,
)
from yeoul.cli.errors import tell

__all__ = ["app", "main", "run"]


class _Commands(TyperGroup):
    """The root: a command whose reader has gone (`| head`) ends without a word."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            result: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # what is still buffered has nowhere to go; the interpreter must not try again when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        return result


app = typer.Typer(
    name="yeoul",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Streaming on one machine: a Kafka-protocol log, Flink-style SQL and live answers.",
)

app.command("up")(up.up)
app.command("sql")(sql.sql)
app.command("demo")(demo.demo)
app.command("broker")(broker.broker)
app.command("doctor")(doctor.doctor)
app.add_typer(topics.app, name="topics")
app.command("produce")(produce.produce)
app.command("consume")(consume.consume)
app.add_typer(groups.app, name="groups")
app.command("mirror")(mirror.mirror)
app.add_typer(configs.app, name="configs")
app.command("offsets")(offsets.offsets)
app.command("delete-records")(offsets.delete_records)
app.command("log-dirs")(log_dirs.log_dirs)
app.add_typer(transactions.app, name="transactions")
app.command("cluster")(cluster.cluster)
app.add_typer(perf.app, name="perf")
app.add_typer(verify.app, name="verify")
app.add_typer(users.app, name="users")
app.add_typer(acls.app, name="acls")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"yeoul {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Streaming on one machine: a Kafka-protocol log, Flink-style SQL and live answers."""


def main(arguments: Sequence[str]) -> int:
    """Runs one command line; returns its exit code.

    Raises:
        Exception: A defect of ours, with its traceback.
    """
    from yeoul.errors import YeoulError

    try:
        app(args=list(arguments), prog_name="yeoul")
    except YeoulError as error:
        tell(error)
        return 1
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0


def run() -> None:
    """The entry point of the `yeoul` command."""
    sys.exit(main(sys.argv[1:]))
