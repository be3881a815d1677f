"""DeleteTopics: topics to delete, by name or, from version 6, by id."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, array, int16, int32, string, uuid


class DeleteTopicState(Message):
    name: str | None = string("6+", null="6+", default=None)
    topic_id: bytes = uuid("6+")


class DeleteTopicsRequest(Message):
    topics: list[DeleteTopicState] = array(DeleteTopicState, "6+")
    topic_names: list[str] = array(string, "0-5")
    timeout_ms: int = int32()


class DeletableTopicResult(Message):
    name: str | None = string(null="6+")
    topic_id: bytes = uuid("6+")
    error_code: int = int16()
    error_message: str | None = string("5+", null="5+", default=None)


class DeleteTopicsResponse(Message):
    throttle_time_ms: int = int32("1+")
    responses: list[DeletableTopicResult] = array(DeletableTopicResult)


DELETE_TOPICS = Api(20, "DeleteTopics", 1, 6, 4, DeleteTopicsRequest, DeleteTopicsResponse)
