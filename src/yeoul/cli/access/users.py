"""The users of a stopped broker's directory, and those of a running broker: two places, one set of abilities."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from yeoul.broker.security.scram import FEWEST_ITERATIONS, MOST_ITERATIONS, ScramMechanism
from yeoul.broker.security.stopped import stopped_broker
from yeoul.broker.security.users import SALT_BYTES, User, Users, check_name
from yeoul.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from confluent_kafka.admin import UserScramCredentialAlteration

__all__ = ["ListedUser", "LocalUsers", "RemoteUsers", "UserPlace", "add", "change_password", "delete", "show_all"]

Iterations = Mapping[ScramMechanism, int]
ListedUser = tuple[str, Iterations, bool | None]
"""A name, the mechanisms with their iterations, and whether it is a super user, where that can be told."""


class UserPlace(Protocol):
    """Where users are kept."""

    def list_all(self) -> list[ListedUser]: ...

    def put(
        self, name: str, password: str, mechanisms: Sequence[ScramMechanism], iterations: int, is_super: bool | None
    ) -> None:
        """Gives a user this password for these mechanisms, and takes it away from the others.

        Args:
            is_super: None leaves it as it is.
        """
        ...

    def delete(self, name: str) -> None: ...


class LocalUsers:
    """The users in a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def list_all(self) -> list[ListedUser]:
        return [
            (user.name, {kept.mechanism: kept.iterations for kept in user.credentials.values()}, user.is_super)
            for user in sorted(Users(self._data_dir).by_name.values(), key=lambda user: user.name)
        ]

    def put(
        self, name: str, password: str, mechanisms: Sequence[ScramMechanism], iterations: int, is_super: bool | None
    ) -> None:
        with stopped_broker(self._data_dir):
            users = Users(self._data_dir)
            user = (users.by_name.get(name) or User(name)).with_password(password, mechanisms, iterations)
            users.change([user if is_super is None else replace(user, is_super=is_super)])

    def delete(self, name: str) -> None:
        with stopped_broker(self._data_dir):
            Users(self._data_dir).change((), [name])


class RemoteUsers:
    """The users of a running broker, through Kafka's admin API; the password itself is hashed here and never sent."""

    def __init__(self, bootstrap: str, properties: Mapping[str, str]) -> None:
        from yeoul.cli.kafka.client import Cluster

        self._cluster = Cluster(bootstrap, properties)

    def list_all(self) -> list[ListedUser]:
        from yeoul.cli.kafka.client import REQUEST_TIMEOUT_S, outcome

        answer: Any = self._cluster.admin.describe_user_scram_credentials(request_timeout=REQUEST_TIMEOUT_S)
        found = outcome(answer, "Listing users")
        return [
            (name, {ScramMechanism(info.mechanism.value): info.iterations for info in one.scram_credential_infos}, None)
            for name, one in sorted(found.items())
        ]

    def put(
        self, name: str, password: str, mechanisms: Sequence[ScramMechanism], iterations: int, is_super: bool | None
    ) -> None:
        from confluent_kafka import admin

        if is_super:
            raise UserError(
                "A running broker makes nobody a super user",
                hint="Do it while it is stopped, with --data-dir, or name User:... in its setting super.users.",
            )
        held = next((kept for user, kept, _ in self.list_all() if user == name), {})
        alterations: list[UserScramCredentialAlteration] = [
            admin.UserScramCredentialUpsertion(
                name,
                admin.ScramCredentialInfo(admin.ScramMechanism(mechanism.value), iterations),
                password.encode(),
                secrets.token_bytes(SALT_BYTES),
            )
            for mechanism in mechanisms
        ]
        self._alter(name, alterations + self._deletions(name, set(held) - set(mechanisms)))

    def delete(self, name: str) -> None:
        held = next((kept for user, kept, _ in self.list_all() if user == name), {})
        self._alter(name, self._deletions(name, held))

    def _deletions(self, name: str, mechanisms: Collection[ScramMechanism]) -> list[UserScramCredentialAlteration]:
        from confluent_kafka import admin

        return [
            admin.UserScramCredentialDeletion(name, admin.ScramMechanism(mechanism.value)) for mechanism in mechanisms
        ]

    def _alter(self, name: str, alterations: list[UserScramCredentialAlteration]) -> None:
        from yeoul.cli.kafka.client import REQUEST_TIMEOUT_S, outcome

        answers = self._cluster.admin.alter_user_scram_credentials(alterations, request_timeout=REQUEST_TIMEOUT_S)
        outcome(answers[name], f"Changing user {name!r}")


def add(
    place: UserPlace,
    name: str,
    password: Callable[[], str],
    mechanisms: Sequence[ScramMechanism],
    iterations: int,
    is_super: bool,
) -> None:
    """Adds a user.

    Raises:
        UserError: There is one of this name already, or it cannot be called so.
    """
    check_name(name)
    _check_iterations(iterations)
    if any(user == name for user, _, _ in place.list_all()):
        raise UserError(
            f"There is a user {name!r} already", hint=f"`yeoul users password {name}` changes the password."
        )
    place.put(name, password(), mechanisms, iterations, is_super)
    kind = "super user" if is_super else "user"
    print(f"Added {kind} {name!r} for PLAIN, {', '.join(mechanism.label for mechanism in mechanisms)}.")


def change_password(
    place: UserPlace, name: str, password: Callable[[], str], mechanisms: Sequence[ScramMechanism], iterations: int
) -> None:
    """Gives a user another password.

    Raises:
        UserError: There is no such user.
    """
    _check_iterations(iterations)
    _require(place, name)
    place.put(name, password(), mechanisms, iterations, None)
    print(f"Changed the password of user {name!r}.")


def delete(place: UserPlace, names: Sequence[str]) -> None:
    """Deletes users; nothing is deleted if one of them is not there.

    Raises:
        UserError: There is no such user.
    """
    for name in names:
        _require(place, name)
    for name in names:
        place.delete(name)
        print(f"Deleted user {name!r}.")


def show_all(place: UserPlace) -> None:
    """Prints one line a user."""
    from yeoul.cli.rendering.listing import print_table

    users = place.list_all()
    if not users:
        print("No users. `yeoul users add NAME` makes one.")
        return
    told = {True: "yes", False: "no", None: None}
    print_table(
        ("user", "mechanisms", "iterations", "super"),
        [
            (
                name,
                ", ".join(mechanism.label for mechanism in kept),
                "/".join(dict.fromkeys(map(str, kept.values()))),
                told[is_super],
            )
            for name, kept, is_super in users
        ],
        numbers=("iterations",),
    )


def _require(place: UserPlace, name: str) -> None:
    names = [user for user, _, _ in place.list_all()]
    if name not in names:
        hint = did_you_mean(name, names) or "`yeoul users list` shows who there is."
        raise UserError(f"There is no user {name!r}", hint=hint)


def _check_iterations(iterations: int) -> None:
    if not FEWEST_ITERATIONS <= iterations <= MOST_ITERATIONS:
        raise UserError(f"Expected {FEWEST_ITERATIONS} to {MOST_ITERATIONS} iterations, got {iterations}")
