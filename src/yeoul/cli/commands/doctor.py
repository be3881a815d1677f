"""`yeoul doctor`: what a data directory holds, what is wrong with it, and, when told to, a way to start again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from yeoul.cli.options import DEFAULT_DATA_DIR, DataDir

if TYPE_CHECKING:
    from yeoul.log.doctor import PartitionReport

__all__ = ["doctor"]


def doctor(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    mend: Annotated[
        bool,
        typer.Option("--mend", help="End damaged partitions before their first damage; what follows is set aside."),
    ] = False,
) -> None:
    """Examine a stopped broker's data directory; every batch is read. Exit code 1 if something is wrong."""
    from yeoul.cli.rendering.listing import print_table
    from yeoul.errors import EnvironmentFailure
    from yeoul.log import doctor as log_doctor

    if not data_dir.is_dir():
        raise EnvironmentFailure(f"There is no data directory {str(data_dir)!r}", hint="Name one with --data-dir.")
    if mend:
        for path in log_doctor.mend(data_dir):
            print(f"set aside: {path}")
    reports = log_doctor.examine(data_dir)
    columns = ("topic", "partition", "first offset", "end offset", "batches", "finding")
    print_table(
        columns,
        [(one.topic, one.number, one.start_offset, one.end_offset, one.batch_count, _finding(one)) for one in reports],
        numbers=columns[1:5],
    )
    if not all(one.is_sound for one in reports):
        print("A broker refuses this directory. 'yeoul doctor --mend' sets the damaged parts aside, deleting nothing.")
        raise typer.Exit(1)


def _finding(report: PartitionReport) -> str:
    damage = report.damage
    if damage is None:
        return report.checkpoint or "sound"
    where = f"{damage.reason} at byte {damage.position} of {damage.path.name}, offset {damage.offset}"
    return f"{where}; nothing durable follows, a start cuts it off" if damage.torn_tail else where
