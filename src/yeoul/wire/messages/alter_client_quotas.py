"""AlterClientQuotas: sets how much users and clients may send and take (KIP-546)."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, array, boolean, float64, int16, int32, string


class EntityData(Message):
    entity_type: str = string()
    entity_name: str | None = string(null="0+")


class OpData(Message):
    key: str = string()
    value: float = float64()
    remove: bool = boolean()


class QuotaEntry(Message):
    entity: list[EntityData] = array(EntityData)
    ops: list[OpData] = array(OpData)


class AlterClientQuotasRequest(Message):
    entries: list[QuotaEntry] = array(QuotaEntry)
    validate_only: bool = boolean()


class QuotaResult(Message):
    error_code: int = int16()
    error_message: str | None = string(null="0+", default=None)
    entity: list[EntityData] = array(EntityData)


class AlterClientQuotasResponse(Message):
    throttle_time_ms: int = int32()
    entries: list[QuotaResult] = array(QuotaResult)


ALTER_CLIENT_QUOTAS = Api(49, "AlterClientQuotas", 0, 1, 1, AlterClientQuotasRequest, AlterClientQuotasResponse)
