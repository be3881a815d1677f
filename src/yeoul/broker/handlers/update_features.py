"""UpdateFeatures 0-2: the levels of the features are those that this version speaks; asking for them is no change.

Deviations: a level cannot be raised or lowered: any other than the one in effect is INVALID_UPDATE_VERSION.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.handlers.api_versions import FEATURES
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.update_features import (
    UPDATE_FEATURES,
    FeatureUpdateKey,
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)

__all__ = ["HANDLER"]

_RESULTS_UP_TO = 1


def _answer(node: Node, request: UpdateFeaturesRequest, call: Call) -> UpdateFeaturesResponse:
    if not node.allows(call, Operation.ALTER, ResourceType.CLUSTER):
        return UpdateFeaturesResponse(
            error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED, error_message="Not authorised to change features"
        )
    problems = [(one.feature, _problem(one)) for one in request.feature_updates]
    if call.version > _RESULTS_UP_TO:
        first = next((problem for _, problem in problems if problem is not None), None)
        code = ErrorCode.NONE if first is None else ErrorCode.INVALID_UPDATE_VERSION
        return UpdateFeaturesResponse(error_code=code, error_message=first)
    return UpdateFeaturesResponse(
        results=[
            UpdatableFeatureResult(
                feature=feature,
                error_code=ErrorCode.NONE if problem is None else ErrorCode.INVALID_UPDATE_VERSION,
                error_message=problem,
            )
            for feature, problem in problems
        ]
    )


def _problem(wanted: FeatureUpdateKey) -> str | None:
    level = FEATURES.get(wanted.feature)
    if level is None:
        return f"There is no feature {wanted.feature!r}: expected one of {', '.join(FEATURES)}"
    if wanted.max_version_level != level:
        return f"Feature {wanted.feature!r} is fixed at level {level}, got {wanted.max_version_level}"
    return None


HANDLER = MessageHandler(UPDATE_FEATURES, 0, 2, _answer)
