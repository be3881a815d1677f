"""Early and late firing: what `table.exec.emit.*` makes of a windowed aggregate.

Flink has it for group windows only; here it works for the table functions, too.
"""

from __future__ import annotations

from collections.abc import Mapping

from yeoul.errors import UserError
from yeoul.plan.changelog import is_updating
from yeoul.plan.nodes import Emission, Node, Window, WindowKind
from yeoul.units import parse_duration_ms

__all__ = ["emission_of"]

_PREFIX = "table.exec.emit."


def emission_of(settings: Mapping[str, str], window: Window, rows: Node) -> Emission | None:
    """Returns how the windows of rows are given as changes; None if each is given once.

    Raises:
        UserError: Late firing without a lateness, or windows that cannot be given before they are over.
    """
    early, late = (
        settings.get(f"{_PREFIX}{name}-fire.enabled", "false").lower() == "true" for name in ("early", "late")
    )
    if not (early or late):
        return None
    if window.kind is WindowKind.SESSION or window.by_clock or is_updating(rows):
        what = "SESSION" if window.kind is WindowKind.SESSION else "A window on processing time"
        what = "A window over rows that change" if is_updating(rows) else what
        raise UserError(
            f"{what} cannot be given before it is over, or again",
            hint=f"RESET '{_PREFIX}early-fire.enabled', and '{_PREFIX}late-fire.enabled'",
        )
    lateness_ms = parse_duration_ms(settings.get(f"{_PREFIX}allow-lateness", "0")) if late else 0
    if late and not lateness_ms:
        raise UserError(
            f"Late firing needs to know for how long: '{_PREFIX}allow-lateness' is not set",
            hint=f"SET '{_PREFIX}allow-lateness' = '1 min'",
        )
    early_ms, late_ms = (
        parse_duration_ms(settings.get(f"{_PREFIX}{name}-fire.delay", "0")) if enabled else None
        for name, enabled in (("early", early), ("late", late))
    )
    return Emission(early_ms, late_ms, lateness_ms)
