"""The users of a stopped broker's directory, and those of a running broker: two places, one set of abilities."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from yeoul.broker.security.scram import FEWEST_ITERATIONS, MOST_ITERATIONS, ScramMechanism
from yeoul.broker.security.stopped import stopped_broker
from yeoul.broker.security.users import SALT_BYTES, User, Users, check_name
from yeoul.cli.access.remote import RemoteBroker
from yeoul.errors import UserError, did_you_mean
from yeoul.wire.messages.alter_user_scram_credentials import (
    ALTER_USER_SCRAM_CREDENTIALS,
    AlterUserScramCredentialsRequest,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from yeoul.wire.messages.describe_user_scram_credentials import (
    DESCRIBE_USER_SCRAM_CREDENTIALS,
    DescribeUserScramCredentialsRequest,
)

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
        self._broker = RemoteBroker(bootstrap, properties)

    def list_all(self) -> list[ListedUser]:
        doing = "Listing users"
        answer = self._broker.ask(DESCRIBE_USER_SCRAM_CREDENTIALS, DescribeUserScramCredentialsRequest(users=None))
        self._broker.check(doing, answer.error_code, answer.error_message)
        return [
            (
                one.user,
                {ScramMechanism(info.mechanism): info.iterations for info in one.credential_infos},
                None,
            )
            for one in sorted(answer.results, key=lambda one: one.user)
        ]

    def put(
        self, name: str, password: str, mechanisms: Sequence[ScramMechanism], iterations: int, is_super: bool | None
    ) -> None:
        if is_super:
            raise UserError(
                "A running broker makes nobody a super user",
                hint="Do it while it is stopped, with --data-dir, or name User:... in its setting super.users.",
            )
        upsertions = [
            _upsertion(name, password, mechanism, iterations, secrets.token_bytes(SALT_BYTES))
            for mechanism in mechanisms
        ]
        self._alter(name, self._deletions(name, mechanisms), upsertions)

    def delete(self, name: str) -> None:
        self._alter(name, self._deletions(name, ()), [])

    def _deletions(self, name: str, kept: Collection[ScramMechanism]) -> list[ScramCredentialDeletion]:
        held = next((mechanisms for user, mechanisms, _ in self.list_all() if user == name), {})
        return [ScramCredentialDeletion(name=name, mechanism=mechanism) for mechanism in held if mechanism not in kept]

    def _alter(
        self, name: str, deletions: list[ScramCredentialDeletion], upsertions: list[ScramCredentialUpsertion]
    ) -> None:
        request = AlterUserScramCredentialsRequest(deletions=deletions, upsertions=upsertions)
        for result in self._broker.ask(ALTER_USER_SCRAM_CREDENTIALS, request).results:
            self._broker.check(f"Changing user {name!r}", result.error_code, result.error_message)


def _upsertion(
    name: str, password: str, mechanism: ScramMechanism, iterations: int, salt: bytes
) -> ScramCredentialUpsertion:
    salted = hashlib.pbkdf2_hmac(mechanism.digest, password.encode(), salt, iterations)
    return ScramCredentialUpsertion(
        name=name, mechanism=mechanism, iterations=iterations, salt=salt, salted_password=salted
    )


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
