"""EndTxn: commits or aborts a transaction; from version 5 the response brings the next producer epoch (KIP-890)."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, boolean, int16, int32, int64, string


class EndTxnRequest(Message):
    transactional_id: str = string()
    producer_id: int = int64()
    producer_epoch: int = int16()
    committed: bool = boolean()


class EndTxnResponse(Message):
    throttle_time_ms: int = int32()
    error_code: int = int16()
    producer_id: int = int64("5+", default=-1)
    producer_epoch: int = int16("5+", default=-1)


END_TXN = Api(26, "EndTxn", 0, 5, 3, EndTxnRequest, EndTxnResponse)
