"""The users that may log in: what is kept of their passwords, and who is a super user; in `security/users.json`.

Owns the file. Invariants: it never holds a password, only salted keys; it is readable by its owner alone; a change is
durable before it counts; an unknown user gets a credential that looks like everybody's, the same each time, and that no
password fits. Callers: `guard` in a broker, `yeoul users` on the directory of a stopped one.
"""

from __future__ import annotations

import base64
import collections
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from yeoul.broker.security.private_file import read_private_file, replace_private_file
from yeoul.broker.security.scram import (
    FEWEST_ITERATIONS,
    MOST_ITERATIONS,
    ScramCredential,
    ScramMechanism,
)
from yeoul.broker.security.session import user_principal
from yeoul.errors import EnvironmentFailure, UserError

__all__ = ["DEFAULT_ITERATIONS", "SALT_BYTES", "User", "Users", "users_file"]

DEFAULT_ITERATIONS = MOST_ITERATIONS
SALT_BYTES = 24
_FORMAT = 1
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class User:
    """One user.

    Attributes:
        name: As they log in.
        is_super: Whether they may do everything.
        credentials: What is kept of the password, by mechanism.
    """

    name: str
    is_super: bool = False
    credentials: Mapping[ScramMechanism, ScramCredential] = field(default_factory=dict)

    def with_credential(self, credential: ScramCredential) -> User:
        return replace(self, credentials={**self.credentials, credential.mechanism: credential})

    def without(self, mechanism: ScramMechanism) -> User:
        return replace(self, credentials={key: kept for key, kept in self.credentials.items() if key != mechanism})

    def with_password(self, password: str, mechanisms: Iterable[ScramMechanism], iterations: int) -> User:
        """Returns the user with this password and no other; takes milliseconds.

        Raises:
            UserError: The password is empty, or the iterations are out of bounds.
        """
        if not password:
            raise UserError("The password is empty")
        if not FEWEST_ITERATIONS <= iterations <= MOST_ITERATIONS:
            message = f"Expected {FEWEST_ITERATIONS} to {MOST_ITERATIONS} iterations, got {iterations}"
            raise UserError(message)
        made = (
            ScramCredential.of_password(mechanism, secrets.token_bytes(SALT_BYTES), iterations, password)
            for mechanism in mechanisms
        )
        return replace(self, credentials={credential.mechanism: credential for credential in made})

    def has_password(self, password: str) -> bool:
        """Whether this is the user's password, by the first mechanism that they have; takes milliseconds."""
        return bool(self.credentials) and self.credentials[min(self.credentials)].is_of(password)


def users_file(data_dir: Path) -> Path:
    """Returns where the users of a data directory are kept."""
    return data_dir / "security" / "users.json"


class Users:
    """All users of a data directory.

    Args:
        data_dir: The broker's.

    Raises:
        EnvironmentFailure: The file cannot be read, or is no file of users.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = users_file(data_dir)
        self._users: dict[str, User] = {}
        self._usual = _usual(())
        self._decoy_key = secrets.token_bytes(32)
        content = read_private_file(self._path)
        if content is not None:
            self._load(content)

    @property
    def by_name(self) -> Mapping[str, User]:
        return MappingProxyType(self._users)

    @property
    def super_users(self) -> frozenset[str]:
        """The principals of those who may do everything."""
        return frozenset(user_principal(user.name) for user in self._users.values() if user.is_super)

    def change(self, changed: Iterable[User], removed: Iterable[str] = ()) -> None:
        """Puts users in place and removes others, all at once; durable when it returns.

        Raises:
            UserError: A name cannot be one.
            EnvironmentFailure: The file cannot be written; nothing has changed then.
        """
        after = dict(self._users)
        for user in changed:
            check_name(user.name)
            after[user.name] = user
        for name in removed:
            after.pop(name, None)
        replace_private_file(self._path, self._encoded(after))
        self._users, self._usual = after, _usual(after.values())

    def credential(self, name: str, mechanism: ScramMechanism) -> ScramCredential:
        """Returns what is kept of a user's password; for nobody's name, something that looks like it."""
        user = self._users.get(name)
        kept = None if user is None else user.credentials.get(mechanism)
        return kept or self._decoy(name, mechanism)

    def has_password(self, name: str, password: str) -> bool:
        """Whether a user exists and this is the password; takes milliseconds, for nobody's name too."""
        user = self._users.get(name)
        if user is None or not user.credentials:
            self._decoy(name, ScramMechanism.SHA_256).is_of(password)
            return False
        return user.has_password(password)

    def _decoy(self, name: str, mechanism: ScramMechanism) -> ScramCredential:
        seed = hmac.digest(self._decoy_key, f"{mechanism.label}:{name}".encode(), "sha512")
        key = secrets.token_bytes(64 if mechanism is ScramMechanism.SHA_512 else 32)
        iterations, salt_bytes = self._usual
        return ScramCredential(mechanism, seed[:salt_bytes], iterations, key, key)

    def _encoded(self, users: Mapping[str, User]) -> bytes:
        held = {
            "version": _FORMAT,
            "decoy_key": _base64(self._decoy_key),
            "users": {
                user.name: {
                    "super": user.is_super,
                    "credentials": {
                        kept.mechanism.label: {
                            "salt": _base64(kept.salt),
                            "iterations": kept.iterations,
                            "stored_key": _base64(kept.stored_key),
                            "server_key": _base64(kept.server_key),
                        }
                        for kept in user.credentials.values()
                    },
                }
                for user in sorted(users.values(), key=lambda user: user.name)
            },
        }
        return json.dumps(held, indent=1).encode() + b"\n"

    def _load(self, content: bytes) -> None:
        try:
            held = json.loads(content)
            if held["version"] > _FORMAT:
                raise ValueError(f"format {held['version']}")
            self._decoy_key = base64.b64decode(held["decoy_key"])
            self._users = {name: _read_user(name, kept) for name, kept in held["users"].items()}
            self._usual = _usual(self._users.values())
        except (ValueError, KeyError, TypeError, AttributeError, UserError) as error:
            raise EnvironmentFailure(
                f"{str(self._path)!r} is no file of users: {error!r}",
                hint="Restore it from a backup, or move it away and add the users again",
            ) from error


def check_name(name: str) -> None:
    """Raises UserError unless a user may be called so."""
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UserError(f"Expected a user name of 1 to {_LONGEST_NAME} printable characters, got {name!r}")


def _usual(users: Iterable[User]) -> tuple[int, int]:
    """Returns the iterations and the salt's length that most credentials have: a decoy must not stand out."""
    counts = collections.Counter(
        (kept.iterations, len(kept.salt)) for user in users for kept in user.credentials.values()
    )
    return counts.most_common(1)[0][0] if counts else (DEFAULT_ITERATIONS, SALT_BYTES)


def _read_user(name: str, held: Mapping[str, Any]) -> User:
    credentials = (_read_credential(label, kept) for label, kept in held["credentials"].items())
    return User(name, bool(held["super"]), {credential.mechanism: credential for credential in credentials})


def _read_credential(label: str, kept: Mapping[str, str | int]) -> ScramCredential:
    return ScramCredential(
        ScramMechanism.of(label),
        base64.b64decode(str(kept["salt"])),
        int(kept["iterations"]),
        base64.b64decode(str(kept["stored_key"])),
        base64.b64decode(str(kept["server_key"])),
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
