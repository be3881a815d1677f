"""What `yeoul configs` does: settings of topics, brokers, groups and loggers, shown and changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from yeoul.cli.kafka.requests import Requests, refusal
from yeoul.cli.rendering.listing import print_rows
from yeoul.errors import UserError
from yeoul.wire.messages.describe_configs import (
    DESCRIBE_CONFIGS,
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
)
from yeoul.wire.messages.incremental_alter_configs import (
    INCREMENTAL_ALTER_CONFIGS,
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

__all__ = ["KINDS", "alter", "describe", "settings_of"]

KINDS: Mapping[str, int] = {"topic": 2, "broker": 4, "logger": 8, "client-metrics": 16, "group": 32}
"""What has settings, with its number in the protocol."""

_OPERATIONS = {"set": 0, "delete": 1, "append": 2, "subtract": 3}
_SOURCES = {
    1: "topic",
    2: "broker, dynamic",
    3: "all brokers, dynamic",
    4: "broker, static",
    5: "default",
    6: "logger",
    7: "client metrics",
    8: "group",
}
_DEFAULT = 5
_TYPES = ("unknown", "boolean", "string", "int", "short", "long", "double", "list", "class", "password")


def settings_of(
    requests: Requests, kind: str, name: str, keys: Sequence[str] | None = None
) -> list[DescribeConfigsResourceResult]:
    """Returns the settings of a resource, sorted by name.

    Raises:
        PeerError: There is no such resource, or the broker refuses.
    """
    resource = DescribeConfigsResource(
        resource_type=KINDS[kind], resource_name=name, configuration_keys=None if keys is None else list(keys)
    )
    request = DescribeConfigsRequest(resources=[resource], include_synonyms=True, include_documentation=True)
    if _lives_on_a_broker(kind, name):
        [answer] = requests.ask_broker(int(name), DESCRIBE_CONFIGS, request).results
    else:
        [answer] = requests.ask(DESCRIBE_CONFIGS, request).results
    if answer.error_code:
        raise refusal(answer.error_code, f"Describing {kind} {name!r}", answer.error_message)
    return sorted(answer.configs, key=lambda one: one.name)


def _lives_on_a_broker(kind: str, name: str) -> bool:
    if kind not in ("broker", "logger") or not name:
        return False
    if not name.isdecimal():
        raise UserError(f"Expected a broker's number, got {name!r}")
    return True


def describe(
    requests: Requests, kind: str, name: str, *, everything: bool, details: bool, keys: Sequence[str], as_json: bool
) -> None:
    """Prints a resource's settings: those that were set, or `everything`; with `details`, types and texts too."""
    found = settings_of(requests, kind, name, keys or None)
    if not everything and not keys:
        found = [one for one in found if one.config_source != _DEFAULT]
    columns = ["name", "value", "source"] + (["type", "read only", "beneath", "meaning"] if details else [])
    rows = [_row(one, details) for one in found]
    what = f"{kind} {name!r}" if name else f"all {kind}s"
    print_rows(columns, rows, as_json=as_json, nothing=f"Nothing is set for {what}; --all shows the defaults.")


def _row(one: DescribeConfigsResourceResult, details: bool) -> list[object]:
    value = "(secret)" if one.is_sensitive else one.value
    row: list[object] = [one.name, value, _SOURCES.get(one.config_source, "unknown")]
    if details:
        beneath = ", ".join(f"{each.name}={each.value}" for each in one.synonyms[1:])
        kind = _TYPES[one.config_type] if 0 <= one.config_type < len(_TYPES) else "unknown"
        row += [kind, "yes" if one.read_only else "no", beneath or None, one.documentation]
    return row


def alter(
    requests: Requests,
    kind: str,
    name: str,
    changes: Mapping[str, Sequence[tuple[str, str | None]]],
    *,
    validate_only: bool,
) -> None:
    """Changes settings: `changes` holds names and values under `set`, `delete`, `append`, `subtract`.

    Raises:
        UserError: Nothing is to be changed.
        PeerError: The broker refuses; nothing was changed then.
    """
    configs = [
        AlterableConfig(name=key, config_operation=_OPERATIONS[how], value=value)
        for how, entries in changes.items()
        for key, value in entries
    ]
    if not configs:
        raise UserError(
            "Expected at least one change", hint="Give --set KEY=VALUE, --delete KEY, --append or --subtract KEY=VALUE."
        )
    resource = AlterConfigsResource(resource_type=KINDS[kind], resource_name=name, configs=configs)
    request = IncrementalAlterConfigsRequest(resources=[resource], validate_only=validate_only)
    if _lives_on_a_broker(kind, name):
        [answer] = requests.ask_broker(int(name), INCREMENTAL_ALTER_CONFIGS, request).responses
    else:
        [answer] = requests.ask(INCREMENTAL_ALTER_CONFIGS, request).responses
    what = f"{kind} {name!r}" if name else f"all {kind}s"
    if answer.error_code:
        raise refusal(answer.error_code, f"Changing {what}", answer.error_message)
    count = f"{len(configs)} setting{'s' if len(configs) > 1 else ''}"
    print(f"Would change {count} of {what}." if validate_only else f"Changed {count} of {what}.")
