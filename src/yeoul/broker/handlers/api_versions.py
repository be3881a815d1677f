"""ApiVersions 0-4: what this broker speaks, from version 3 on with the features that clients negotiate by level.

Deviations: none. A version beyond 4 is answered in the form of version 0 with UNSUPPORTED_VERSION (`connection`).
"""

from __future__ import annotations

from collections.abc import Sequence

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.wire.messages.api_versions import (
    API_VERSIONS,
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)

__all__ = ["FEATURES", "make_handler"]

FEATURES = {"group.version": 1, "transaction.version": 2}
"""The level of each: groups of the consumer protocol (KIP-848); transactions whose end bumps the producer's epoch
(KIP-890).
"""
_FEATURES_EPOCH = 0


def make_handler(
    versions: Sequence[ApiVersion],
) -> MessageHandler[ApiVersionsRequest, ApiVersionsResponse]:
    """Returns the handler that advertises `versions`; it is the only one that has to know of all the others."""

    def answer(node: Node, request: ApiVersionsRequest, call: Call) -> ApiVersionsResponse:
        return ApiVersionsResponse(
            api_keys=list(versions),
            supported_features=[
                SupportedFeatureKey(name=name, min_version=0, max_version=level) for name, level in FEATURES.items()
            ],
            finalized_features_epoch=_FEATURES_EPOCH,
            finalized_features=[
                FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level)
                for name, level in FEATURES.items()
            ],
        )

    return MessageHandler(API_VERSIONS, 0, 4, answer)
