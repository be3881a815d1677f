"""ApiVersions 0-4: what this broker speaks.

Deviations: none. A version beyond 4 is answered in the form of version 0 with UNSUPPORTED_VERSION (`connection`).
"""

from __future__ import annotations

from collections.abc import Sequence

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersion, ApiVersionsRequest, ApiVersionsResponse

__all__ = ["make_handler"]


def make_handler(
    versions: Sequence[ApiVersion],
) -> MessageHandler[ApiVersionsRequest, ApiVersionsResponse]:
    """Returns the handler that advertises `versions`; it is the only one that has to know of all the others."""

    def answer(node: Node, request: ApiVersionsRequest, call: Call) -> ApiVersionsResponse:
        return ApiVersionsResponse(api_keys=list(versions))

    return MessageHandler(API_VERSIONS, 0, 4, answer)
