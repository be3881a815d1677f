"""What rules decide: against a small model written from Kafka's documentation, and the traps one by one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.broker.security.acls import Acl, AclFilter, AclIndex, Pattern, Permission
from yeoul.broker.security.authorizer import Authorizer
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.broker.security.session import Session
from yeoul.errors import UserError

OPERATIONS = [
    Operation.ALL,
    Operation.READ,
    Operation.WRITE,
    Operation.ALTER,
    Operation.DELETE,
    Operation.DESCRIBE,
    Operation.DESCRIBE_CONFIGS,
    Operation.ALTER_CONFIGS,
    Operation.CREATE,
]
NAMES = ["a", "ab", "abc", "b", "*"]
USERS = ["User:u", "User:v"]
HOSTS = ["10.0.0.1", "10.0.0.2"]


def acl(
    name: str = "t",
    operation: Operation = Operation.READ,
    permission: Permission = Permission.ALLOW,
    pattern: Pattern = Pattern.LITERAL,
    principal: str = "User:u",
    host: str = "*",
    kind: ResourceType = ResourceType.TOPIC,
) -> Acl:
    return Acl(kind, name, pattern, principal, host, operation, permission)


rules = st.builds(
    Acl,
    st.sampled_from([ResourceType.TOPIC, ResourceType.GROUP]),
    st.sampled_from(NAMES),
    st.sampled_from([Pattern.LITERAL, Pattern.PREFIXED]),
    st.sampled_from([*USERS, "User:*"]),
    st.sampled_from([*HOSTS, "*"]),
    st.sampled_from(OPERATIONS),
    st.sampled_from([Permission.ALLOW, Permission.DENY]),
)


def model(held: list[Acl], who: str, host: str, operation: Operation, kind: ResourceType, name: str) -> str:
    """allow, deny, or none: the sentences of the documentation, one after another."""
    about = []
    for rule in held:
        same = rule.name == name or rule.name == "*" if rule.pattern == 3 else name[: len(rule.name)] == rule.name
        if rule.resource_type == kind and same:
            about.append(rule)
    if not about:
        return "none"
    mine = [rule for rule in about if rule.principal in ("User:*", who) and rule.host in ("*", host)]
    if [rule for rule in mine if rule.permission.name == "DENY" and rule.operation.name in ("ALL", operation.name)]:
        return "deny"
    enough = {"ALL", operation.name}
    if operation.name == "DESCRIBE":
        enough |= {"READ", "WRITE", "DELETE", "ALTER"}
    if operation.name == "DESCRIBE_CONFIGS":
        enough |= {"ALTER_CONFIGS"}
    return (
        "allow" if any(rule.permission.name == "ALLOW" and rule.operation.name in enough for rule in mine) else "deny"
    )


@settings(max_examples=150, deadline=None)
@given(held=st.lists(rules, max_size=8))
def test_every_decision_is_the_models(held: list[Acl]) -> None:
    index = AclIndex(held)
    for who, host, operation, name in itertools.product(USERS, HOSTS, OPERATIONS[1:], ["a", "ab", "abcd", "b", "c"]):
        said = index.decide(who, host, operation, ResourceType.TOPIC, name)
        expected = model(held, who, host, operation, ResourceType.TOPIC, name)
        assert ("none" if said is None else said.name.lower()) == expected, (who, host, operation, name)


@settings(max_examples=150, deadline=None)
@given(held=st.lists(rules, max_size=6), allow=st.booleans())
def test_the_authorizer_remembers_what_it_would_decide_again(held: list[Acl], allow: bool) -> None:
    authorizer = Authorizer((), [], allow_without_acl=allow)
    session = Session("User:u", HOSTS[0])
    authorizer.allows(session, Operation.READ, ResourceType.TOPIC, "a")
    authorizer.use(held, ["User:boss"])
    for _ in range(2):
        for operation, name in itertools.product(OPERATIONS[1:], ["a", "ab", "x"]):
            said = model(held, "User:u", HOSTS[0], operation, ResourceType.TOPIC, name)
            expected = allow if said == "none" else said == "allow"
            assert authorizer.allows(session, operation, ResourceType.TOPIC, name) is expected
            assert authorizer.allows(Session("User:boss", "x"), operation, ResourceType.TOPIC, name)


@settings(max_examples=200, deadline=None)
@given(held=st.lists(rules, max_size=6))
def test_some_resource_may_be_written_to_whenever_a_named_one_may(held: list[Acl]) -> None:
    """No false refusal: whoever may write to some topic that is named by a rule may have a producer id."""
    authorizer = Authorizer(held, [])
    session = Session("User:u", HOSTS[0])
    named = [rule.name for rule in held if rule.name != "*"]
    may = any(authorizer.allows(session, Operation.WRITE, ResourceType.TOPIC, name) for name in named)
    denied_all = any(
        rule.permission is Permission.DENY
        and rule.resource_type is ResourceType.TOPIC
        and (rule.pattern, rule.name) == (Pattern.LITERAL, "*")
        and rule.operation in (Operation.ALL, Operation.WRITE)
        and rule.applies_to("User:u", HOSTS[0])
        for rule in held
    )
    some = authorizer.allows_some(session, Operation.WRITE, ResourceType.TOPIC)
    assert some or not may
    assert not (some and denied_all)


def test_a_denial_wins_over_a_longer_or_more_exact_permission() -> None:
    index = AclIndex([acl("orders"), acl("ord", permission=Permission.DENY, pattern=Pattern.PREFIXED)])
    assert index.decide("User:u", "h", Operation.READ, ResourceType.TOPIC, "orders") is Permission.DENY


def test_a_rule_about_others_closes_a_resource_that_everybody_may_use_without_rules() -> None:
    authorizer = Authorizer([acl("t", principal="User:other")], [], allow_without_acl=True)
    session = Session("User:u", "h")
    assert authorizer.allows(session, Operation.READ, ResourceType.TOPIC, "free")
    assert not authorizer.allows(session, Operation.READ, ResourceType.TOPIC, "t")


def test_denying_read_does_not_deny_describe() -> None:
    index = AclIndex([acl(operation=Operation.WRITE), acl(operation=Operation.READ, permission=Permission.DENY)])
    assert index.decide("User:u", "h", Operation.DESCRIBE, ResourceType.TOPIC, "t") is Permission.ALLOW


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        (Pattern.LITERAL, "ab", {"literal ab"}),
        (Pattern.PREFIXED, "ab", {"prefixed ab"}),
        (Pattern.ANY, "ab", {"literal ab", "prefixed ab"}),
        (Pattern.MATCH, "ab", {"literal ab", "prefixed ab", "prefixed a", "literal *"}),
        (Pattern.ANY, None, {"literal ab", "prefixed ab", "prefixed a", "literal *"}),
        (Pattern.LITERAL, "*", {"literal *"}),
    ],
)
def test_filters_find_names_as_their_pattern_says(pattern: Pattern, name: str | None, found: set[str]) -> None:
    held = [
        acl("ab"),
        acl("ab", pattern=Pattern.PREFIXED),
        acl("a", pattern=Pattern.PREFIXED),
        acl("*"),
    ]
    wanted = AclFilter(ResourceType.TOPIC, name, pattern)
    assert {f"{rule.pattern.name.lower()} {rule.name}" for rule in held if wanted.finds(rule)} == found


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (acl(kind=ResourceType.ANY), "resource type"),
        (acl(pattern=Pattern.MATCH), "LITERAL or PREFIXED"),
        (acl(operation=Operation.ANY), "Expected an operation"),
        (acl(permission=Permission.ANY), "ALLOW or DENY"),
        (acl(name=""), "name of a rule's resource is empty"),
        (acl(name="x", kind=ResourceType.CLUSTER), "only name of a CLUSTER resource is 'kafka-cluster'"),
        (acl(principal="alice"), "such as 'User:alice', got 'alice'"),
        (acl(host=""), "host of a rule is empty"),
        (acl(name="x" * 2000), "longer than"),
    ],
)
def test_a_rule_that_cannot_be_kept_says_why(rule: Acl, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        rule.check()
