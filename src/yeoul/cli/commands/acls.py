"""`yeoul acls add|list|remove`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yeoul.cli.options import AccessBootstrap, AccessDataDir, CommandConfig, Properties, access_target

if TYPE_CHECKING:
    from yeoul.broker.security.operations import Operation
    from yeoul.cli.access.acls import AclPlace, Resources

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Who may do what: in the directory of a stopped broker (--data-dir), or through a running one"
    " (--bootstrap-server).",
)


class OperationName(StrEnum):
    """What rules can be about."""

    ALL = "all"
    READ = "read"
    WRITE = "write"
    CREATE = "create"
    DELETE = "delete"
    ALTER = "alter"
    DESCRIBE = "describe"
    CLUSTER_ACTION = "cluster-action"
    DESCRIBE_CONFIGS = "describe-configs"
    ALTER_CONFIGS = "alter-configs"
    IDEMPOTENT_WRITE = "idempotent-write"
    TWO_PHASE_COMMIT = "two-phase-commit"


Topics = Annotated[
    list[str] | None, typer.Option("--topic", "-t", metavar="NAME", help="A topic, or * for all; repeatable.")
]
Groups = Annotated[
    list[str] | None, typer.Option("--group", "-g", metavar="NAME", help="A consumer group, or *; repeatable.")
]
TransactionalIds = Annotated[
    list[str] | None, typer.Option("--transactional-id", metavar="NAME", help="A transactional id, or *; repeatable.")
]
ClusterOption = Annotated[bool, typer.Option("--cluster", help="The cluster itself.")]
Prefixed = Annotated[bool, typer.Option("--prefixed", help="The names are the beginnings of names.")]
Operations = Annotated[list[OperationName] | None, typer.Option("--operation", "-o", help="What is done; repeatable.")]


@app.command("add")
def add(
    principals: Annotated[
        list[str], typer.Argument(metavar="PRINCIPAL...", help="Whom it is about: a user's name, User:*, User:CN=...")
    ],
    operation: Operations = None,
    topic: Topics = None,
    group: Groups = None,
    transactional_id: TransactionalIds = None,
    cluster: ClusterOption = False,
    prefixed: Prefixed = False,
    producer: Annotated[bool, typer.Option("--producer", help="All that a producer needs.")] = False,
    consumer: Annotated[bool, typer.Option("--consumer", help="All that a consumer needs.")] = False,
    host: Annotated[
        list[str] | None, typer.Option("--host", metavar="ADDRESS", help="Only from there; repeatable.")
    ] = None,
    deny: Annotated[bool, typer.Option("--deny", help="Deny it; this wins over all that allows.")] = False,
    data_dir: AccessDataDir = None,
    bootstrap_server: AccessBootstrap = None,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Add rules that allow, or deny, operations on resources."""
    from yeoul.cli.access import acls

    rules = acls.rules_of(
        principals,
        _resources(topic, group, transactional_id, cluster, prefixed),
        _known(operation),
        hosts=host or (),
        deny=deny,
        producer=producer,
        consumer=consumer,
    )
    acls.add(_place(data_dir, bootstrap_server, command_config, properties), rules)


@app.command("list")
def list_rules(
    principal: Annotated[str | None, typer.Argument(metavar="[PRINCIPAL]", help="Only what is about this one.")] = None,
    operation: Operations = None,
    topic: Topics = None,
    group: Groups = None,
    transactional_id: TransactionalIds = None,
    cluster: ClusterOption = False,
    prefixed: Prefixed = False,
    matching: Annotated[bool, typer.Option("--match", help="Also prefixes and * that decide about the names.")] = False,
    data_dir: AccessDataDir = None,
    bootstrap_server: AccessBootstrap = None,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """List rules."""
    from yeoul.cli.access import acls

    wanted = acls.filters_of(
        principal,
        _resources(topic, group, transactional_id, cluster, prefixed),
        _known(operation),
        matching=matching,
    )
    acls.show(_place(data_dir, bootstrap_server, command_config, properties), wanted)


@app.command("remove")
def remove(
    principal: Annotated[str | None, typer.Argument(metavar="[PRINCIPAL]", help="Only what is about this one.")] = None,
    operation: Operations = None,
    topic: Topics = None,
    group: Groups = None,
    transactional_id: TransactionalIds = None,
    cluster: ClusterOption = False,
    prefixed: Prefixed = False,
    host: Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="Only rules for there.")] = None,
    deny: Annotated[bool | None, typer.Option("--deny/--allow", help="Only rules that deny, or that allow.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All rules; needed when nothing else is said.")] = False,
    data_dir: AccessDataDir = None,
    bootstrap_server: AccessBootstrap = None,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Remove the rules that are like this."""
    from yeoul.cli.access import acls
    from yeoul.errors import UserError

    resources = _resources(topic, group, transactional_id, cluster, prefixed)
    if not (every or principal or operation or host or deny is not None or resources.named):
        raise UserError("Nothing says which rules to remove", hint="--all removes every one.")
    wanted = acls.filters_of(principal, resources, _known(operation), host=host, deny=deny)
    acls.remove(_place(data_dir, bootstrap_server, command_config, properties), wanted)


def _resources(
    topics: list[str] | None, groups: list[str] | None, ids: list[str] | None, cluster: bool, prefixed: bool
) -> Resources:
    from yeoul.cli.access.acls import Resources

    return Resources(topics or (), groups or (), ids or (), cluster, prefixed)


def _known(operations: list[OperationName] | None) -> list[Operation]:
    from yeoul.broker.security.operations import Operation

    return [Operation[each.name] for each in operations or ()]


def _place(
    data_dir: Path | None, bootstrap: str | None, command_config: Path | None, properties: list[str] | None
) -> AclPlace:
    from yeoul.cli.access.acls import LocalAcls, RemoteAcls

    target = access_target(data_dir, bootstrap, command_config, properties)
    return LocalAcls(target) if isinstance(target, Path) else RemoteAcls(*target)
