"""`python -m soak`: see the package. Exit code 0: nothing was found; 1: something was; 2: wrong arguments."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from soak.checkers import check
from soak.history import load
from soak.plan import FaultKind, parse_kinds
from soak.report import ProgressLine, how_to_look, print_result, print_violations
from soak.run import CLIENTS, SoakSettings, new_seed, run

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Runs one soak, or checks a kept history again."""
    parser = _parser()
    given = parser.parse_args(arguments)
    console = Console()
    if given.check is not None:
        violations = check(load(given.check))
        print_violations(violations, console)
        return int(any(violations.values()))
    seed = new_seed() if given.seed is None else given.seed
    directory = Path(given.keep or tempfile.mkdtemp(prefix=f"yeoul-soak-{seed}-"))
    if (directory / "data").exists():
        parser.error(f"--keep {directory}: holds the data of another run")
    settings = SoakSettings(
        seed=seed,
        duration_s=given.minutes * 60,
        clients=given.clients,
        faults=given.faults,
        flush=given.flush,
        directory=directory,
        mean_pause_s=given.pause,
        pace=given.pace,
    )
    words = ["python -m soak", f"--seed {seed} --minutes {given.minutes:g} --clients {','.join(given.clients)}"]
    words.append(f"--faults {','.join(sorted(given.faults)) or 'none'} --flush {given.flush}")
    console.print(f"Again with: {' '.join(words)}", highlight=False, soft_wrap=True)
    progress = ProgressLine(settings.duration_s)
    result = run(settings, progress.say)
    progress.close()
    print_result(result, console)
    if given.failures:
        for name, failures in sorted(result.failures.items()):
            for text, count in sorted(failures.items(), key=lambda each: -each[1])[:5]:
                console.print(f"{name}: {count} x {text}", highlight=False, soft_wrap=True, markup=False)
    if result.is_clean and given.keep is None:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        console.print(how_to_look(directory), highlight=False, soft_wrap=True)
    # Clients' own threads may still wait for something: they are of no more use.
    sys.stdout.flush()
    sys.stderr.flush()
    return 0 if result.is_clean else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m soak", description="Consistency under faults.")
    parser.add_argument("--minutes", type=float, default=2.0, help="how long there are faults")
    parser.add_argument("--seed", type=int, help="for plan and workload; drawn, and printed, when not given")
    parser.add_argument("--clients", type=_clients, default=CLIENTS, help=f"some of {','.join(CLIENTS)}")
    parser.add_argument(
        "--faults", type=_kinds, default=frozenset(FaultKind), help="kinds with commas between, all, or none"
    )
    parser.add_argument("--flush", choices=("commit", "interval", "os"), default="commit", help="os: a planted defect")
    parser.add_argument("--keep", type=Path, help="a directory for data and history, kept in any case")
    parser.add_argument("--pause", type=float, default=4.0, help="seconds between faults, on average")
    parser.add_argument("--pace", type=float, default=1.0, help="a factor on the clients' pauses")
    parser.add_argument("--failures", action="store_true", help="also print what clients met with")
    parser.add_argument("--check", type=Path, metavar="HISTORY", help="check a kept history again, and do nothing else")
    return parser


def _clients(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    unknown = [name for name in chosen if name not in CLIENTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(CLIENTS)}, got {unknown[0]!r}")
    return chosen


def _kinds(text: str) -> frozenset[FaultKind]:
    try:
        return parse_kinds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    code = main()
    os._exit(code)
