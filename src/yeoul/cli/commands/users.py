"""`yeoul users add|password|list|delete`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yeoul.cli.options import AccessBootstrap, AccessDataDir, CommandConfig, Properties, access_target

if TYPE_CHECKING:
    from yeoul.broker.security.scram import ScramMechanism
    from yeoul.cli.access.users import UserPlace

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Who may log in: in the directory of a stopped broker (--data-dir), or through a running one"
    " (--bootstrap-server).",
)


class Mechanism(StrEnum):
    """The hashes that passwords are kept by."""

    SHA_256 = "SCRAM-SHA-256"
    SHA_512 = "SCRAM-SHA-512"


Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", dir_okay=False, help="Where the password stands, alone in the first line."),
]
Password = Annotated[
    str | None,
    typer.Option(
        "--password",
        metavar="TEXT",
        help="The password itself. Others can see it in the list of processes: better type it, or pipe it in.",
    ),
]
Mechanisms = Annotated[
    list[Mechanism] | None, typer.Option("--mechanism", help="Only this hash; repeatable. PLAIN works with either.")
]
Iterations = Annotated[int, typer.Option("--iterations", help="How often the password is hashed: 4096 to 16384.")]


@app.command("add")
def add(
    name: Name,
    is_super: Annotated[bool, typer.Option("--super", help="May do everything.")] = False,
    mechanism: Mechanisms = None,
    iterations: Iterations = 16_384,
    password_file: PasswordFile = None,
    password: Password = None,
    data_dir: AccessDataDir = None,
    bootstrap_server: AccessBootstrap = None,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Add a user; the password is typed, or the first line of standard input."""
    from yeoul.cli.access import users
    from yeoul.cli.access.passwords import new_password

    place = _place(data_dir, bootstrap_server, command_config, properties)
    users.add(place, name, lambda: new_password(name, password_file, password), _known(mechanism), iterations, is_super)


@app.command("password")
def change_password(
    name: Name,
    mechanism: Mechanisms = None,
    iterations: Iterations = 16_384,
    password_file: PasswordFile = None,
    password: Password = None,
    data_dir: AccessDataDir = None,
    bootstrap_server: AccessBootstrap = None,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Give a user another password."""
    from yeoul.cli.access import users
    from yeoul.cli.access.passwords import new_password

    place = _place(data_dir, bootstrap_server, command_config, properties)
    users.change_password(
        place, name, lambda: new_password(name, password_file, password), _known(mechanism), iterations
    )


@app.command("list")
def list_users(
    data_dir: AccessDataDir = None,
    bootstrap_server: AccessBootstrap = None,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """List users and how their passwords are kept."""
    from yeoul.cli.access import users

    users.show_all(_place(data_dir, bootstrap_server, command_config, properties))


@app.command("delete")
def delete(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Whom to delete.")],
    data_dir: AccessDataDir = None,
    bootstrap_server: AccessBootstrap = None,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Delete users. Connections that are open stay so; the rules about them stay too."""
    from yeoul.cli.access import users

    users.delete(_place(data_dir, bootstrap_server, command_config, properties), names)


def _place(
    data_dir: Path | None, bootstrap: str | None, command_config: Path | None, properties: list[str] | None
) -> UserPlace:
    from yeoul.cli.access.users import LocalUsers, RemoteUsers

    target = access_target(data_dir, bootstrap, command_config, properties)
    return LocalUsers(target) if isinstance(target, Path) else RemoteUsers(*target)


def _known(mechanisms: list[Mechanism] | None) -> list[ScramMechanism]:
    from yeoul.broker.security.scram import ScramMechanism

    return [ScramMechanism.of(each.value) for each in mechanisms] if mechanisms else list(ScramMechanism)
