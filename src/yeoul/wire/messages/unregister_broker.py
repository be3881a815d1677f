"""UnregisterBroker: takes a broker that has stopped out of the cluster (KIP-500)."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, int16, int32, string


class UnregisterBrokerRequest(Message):
    broker_id: int = int32()


class UnregisterBrokerResponse(Message):
    throttle_time_ms: int = int32()
    error_code: int = int16()
    error_message: str | None = string(null="0+", default=None)


UNREGISTER_BROKER = Api(64, "UnregisterBroker", 0, 0, 0, UnregisterBrokerRequest, UnregisterBrokerResponse)
