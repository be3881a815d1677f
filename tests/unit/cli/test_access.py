"""`users` and `acls` on the directory of a stopped broker: what they do, what they print, what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.cli.processes import yeoul_here as yeoul

from yeoul.broker.security.users import Users


def cells(text: str) -> list[list[str]]:
    """The rows of a printed table, header and rule left out."""
    return [line.split() for line in text.splitlines()[2:]]


def test_a_user_is_added_listed_changed_and_deleted(tmp_path: Path) -> None:
    here = ("--data-dir", str(tmp_path / "data"))
    assert yeoul("users", "list", *here).out == "No users. `yeoul users add NAME` makes one.\n"
    done = yeoul("users", "add", "ann", "--super", "--mechanism", "SCRAM-SHA-512", *here, stdin="one\nmore\n")
    assert (done.code, done.out) == (0, "Added super user 'ann' for PLAIN, SCRAM-SHA-512.\n")
    assert cells(yeoul("users", "list", *here).out) == [["ann", "SCRAM-SHA-512", "16384", "yes"]]
    assert Users(tmp_path / "data").has_password("ann", "one")
    (tmp_path / "pw").write_text("two\n")
    changed = yeoul("users", "password", "ann", "--iterations", "4096", "--password-file", str(tmp_path / "pw"), *here)
    assert changed.out == "Changed the password of user 'ann'.\n"
    assert cells(yeoul("users", "list", *here).out) == [["ann", "SCRAM-SHA-256,", "SCRAM-SHA-512", "4096", "yes"]]
    assert Users(tmp_path / "data").has_password("ann", "two")
    assert yeoul("users", "delete", "ann", *here).out == "Deleted user 'ann'.\n"
    assert not Users(tmp_path / "data").by_name


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        (("add", "ann"), "", "error: The password is empty\nhint: Type it, pipe it in, or name a file"),
        (("add", "ann", "--password", "x", "--password-file", "f"), "", "--password and --password-file exclude"),
        (("add", "ann", "--password-file", "missing"), "", "error: Cannot read 'missing': No such file or directory"),
        (("add", "ann", "--iterations", "7"), "x\n", "error: Expected 4096 to 16384 iterations, got 7"),
        (("add", ""), "x\n", "error: Expected a user name of 1 to 255 printable characters, got ''"),
        (("password", "bpb"), "x\n", "error: There is no user 'bpb'\nhint: Did you mean 'bob'?"),
        (("delete", "bob", "zoe"), "", "error: There is no user 'zoe'"),
        (("add", "bob"), "x\n", "error: There is a user 'bob' already\nhint: `yeoul users password bob` changes"),
        (("list", "-b", "127.0.0.1:9"), "", "error: --data-dir and --bootstrap-server exclude each other"),
    ],
)
def test_what_cannot_be_done_to_users_is_told(
    tmp_path: Path, arguments: tuple[str, ...], stdin: str, told: str
) -> None:
    here = ("--data-dir", str(tmp_path))
    assert yeoul("users", "add", "bob", "--password", "pw", *here).code == 0
    done = yeoul("users", *arguments, *here, stdin=stdin)
    assert (done.code, done.out) == (1, "")
    assert told in done.err
    assert list(Users(tmp_path).by_name) == ["bob"]


def test_rules_are_added_listed_and_removed(tmp_path: Path) -> None:
    here = ("--data-dir", str(tmp_path))
    made = yeoul(
        "acls", "add", "ann", "User:CN=bob", "--topic", "t-", "--prefixed", "-o", "read", "--host", "::1", *here
    )
    assert made.out == (
        "Added: ALLOW User:ann READ on TOPIC t-* from ::1\nAdded: ALLOW User:CN=bob READ on TOPIC t-* from ::1\n"
    )
    yeoul("acls", "add", "ann", "--transactional-id", "x", "--topic", "o", "--producer", *here)
    yeoul("acls", "add", "ann", "--cluster", "-o", "alter", "--deny", *here)
    found = cells(yeoul("acls", "list", "ann", "--topic", "t-1", "--match", *here).out)
    assert found == [["topic", "t-", "prefixed", "User:ann", "::1", "read", "allow"]]
    kinds = [row[0] for row in cells(yeoul("acls", "list", *here).out)]
    assert sorted(kinds) == ["cluster", *["topic"] * 5, *["transactional_id"] * 2]
    assert yeoul("acls", "remove", "ann", "--allow", *here).out.count("Removed: ALLOW User:ann") == 6
    assert yeoul("acls", "remove", "ann", "--allow", *here).out == "No rule is like that; nothing was removed.\n"
    assert yeoul("acls", "remove", "--all", *here).out.count("Removed: ") == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", "ann", "-o", "read"), "error: Expected at least one resource\nhint: Name it with --topic"),
        (("add", "ann", "--topic", "t"), "error: Expected at least one operation\nhint: Name it with --operation"),
        (("add", "ann", "--group", "g", "--producer"), "error: Expected at least one operation"),
        (("add", "ann", "--topic", "*", "--prefixed", "-o", "read"), "error: '*' is no prefix"),
        (("remove",), "error: Nothing says which rules to remove\nhint: --all removes every one."),
    ],
)
def test_what_cannot_be_done_to_rules_is_told(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = yeoul("acls", *arguments, "--data-dir", str(tmp_path))
    assert (done.code, done.out) == (1, "")
    assert told in done.err


def test_a_broker_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = yeoul("users", "list", "-b", "127.0.0.1:1")
    assert done.code == 1
    assert done.err.startswith("error: No Kafka broker answers at '127.0.0.1:1': ")
