"""ListTransactions: all transactional ids, or those in certain states (KIP-664)."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, array, int16, int32, int64, string


class ListTransactionsRequest(Message):
    state_filters: list[str] = array(string)
    producer_id_filters: list[int] = array(int64)
    duration_filter: int = int64("1+", default=-1)
    transactional_id_pattern: str | None = string("2+", null="2+", default=None)


class TransactionState(Message):
    transactional_id: str = string()
    producer_id: int = int64()
    transaction_state: str = string()


class ListTransactionsResponse(Message):
    throttle_time_ms: int = int32()
    error_code: int = int16()
    unknown_state_filters: list[str] = array(string)
    transaction_states: list[TransactionState] = array(TransactionState)


LIST_TRANSACTIONS = Api(66, "ListTransactions", 0, 2, 0, ListTransactionsRequest, ListTransactionsResponse)
