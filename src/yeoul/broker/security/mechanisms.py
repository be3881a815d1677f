"""Which SASL mechanisms there are, and which of them a listener offers. Pure. Callers: `listeners`, `guard`."""

from __future__ import annotations

from collections.abc import Sequence

from yeoul.broker.security.plain import PLAIN
from yeoul.broker.security.scram import ScramMechanism
from yeoul.errors import UserError, did_you_mean

__all__ = ["MECHANISMS", "offered_mechanisms"]

MECHANISMS = (PLAIN, ScramMechanism.SHA_256.label, ScramMechanism.SHA_512.label)


def offered_mechanisms(enabled: Sequence[str], *, is_private: bool, insecure: bool = False) -> tuple[str, ...]:
    """Returns the mechanisms that a listener offers.

    PLAIN sends the password as it is, so it is for connections that nobody else can read: TLS, or loopback.

    Args:
        enabled: As `sasl.enabled.mechanisms` names them; empty for all that are safe there.
        is_private: Whether nobody can listen in.
        insecure: Whether PLAIN may be offered regardless, when it is named.

    Raises:
        UserError: A mechanism is not known, or PLAIN would show passwords to others.

    Example:
        >>> offered_mechanisms((), is_private=False)
        ('SCRAM-SHA-256', 'SCRAM-SHA-512')
    """
    if not enabled:
        return MECHANISMS if is_private else MECHANISMS[1:]
    named = tuple(name.strip().upper() for name in enabled)
    for name in named:
        if name not in MECHANISMS:
            hint = did_you_mean(name, MECHANISMS) or f"Known: {', '.join(MECHANISMS)}"
            raise UserError(f"sasl.enabled.mechanisms: Unknown mechanism {name!r}", hint=hint)
    if PLAIN in named and not (is_private or insecure):
        raise UserError(
            "Refused to offer PLAIN on a listener without TLS: passwords could be read on their way",
            hint="Use SASL_SSL, or the SCRAM mechanisms, or listen on 127.0.0.1",
        )
    return named
