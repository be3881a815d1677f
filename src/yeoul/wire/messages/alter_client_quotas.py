"""AlterClientQuotas: sets and removes bounds on the rates of users and client ids (KIP-546)."""

from __future__ import annotations

from yeoul.wire.messages.describe_client_quotas import EntityData
from yeoul.wire.schema import Api, Message, array, boolean, float64, int16, int32, string


class OpData(Message):
    key: str = string()
    value: float = float64()
    remove: bool = boolean()


class AlteredEntry(Message):
    entity: list[EntityData] = array(EntityData)
    ops: list[OpData] = array(OpData)


class AlterClientQuotasRequest(Message):
    entries: list[AlteredEntry] = array(AlteredEntry)
    validate_only: bool = boolean()


class AlteredEntryResult(Message):
    error_code: int = int16()
    error_message: str | None = string(null="0+")
    entity: list[EntityData] = array(EntityData)


class AlterClientQuotasResponse(Message):
    throttle_time_ms: int = int32()
    entries: list[AlteredEntryResult] = array(AlteredEntryResult)


ALTER_CLIENT_QUOTAS = Api(49, "AlterClientQuotas", 0, 1, 1, AlterClientQuotasRequest, AlterClientQuotasResponse)
