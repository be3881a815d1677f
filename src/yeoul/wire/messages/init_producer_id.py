"""InitProducerId: a producer id and epoch for idempotent or transactional producing (KIP-98)."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, boolean, int16, int32, int64, string


class InitProducerIdRequest(Message):
    transactional_id: str | None = string(null="0+")
    transaction_timeout_ms: int = int32()
    producer_id: int = int64("3+", default=-1)
    producer_epoch: int = int16("3+", default=-1)
    enable2_pc: bool = boolean("6+")
    keep_prepared_txn: bool = boolean("6+")


class InitProducerIdResponse(Message):
    throttle_time_ms: int = int32()
    error_code: int = int16()
    producer_id: int = int64(default=-1)
    producer_epoch: int = int16()
    ongoing_txn_producer_id: int = int64("6+", default=-1)
    ongoing_txn_producer_epoch: int = int16("6+", default=-1)


INIT_PRODUCER_ID = Api(22, "InitProducerId", 0, 6, 2, InitProducerIdRequest, InitProducerIdResponse)
