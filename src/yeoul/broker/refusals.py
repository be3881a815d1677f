"""Which error code a refusal is answered with: the one place that knows where each kind of error keeps it."""

from __future__ import annotations

from yeoul.errors import UserError, YeoulError
from yeoul.wire.errors import ErrorCode, ProtocolError

__all__ = ["epoch_error", "error_code_of"]


def epoch_error(error: ErrorCode, *, known: bool) -> ErrorCode:
    """Returns the refusal of a fenced producer as its API version knows it: PRODUCER_FENCED came later.

    Example:
        >>> epoch_error(ErrorCode.PRODUCER_FENCED, known=False).name
        'INVALID_PRODUCER_EPOCH'
    """
    return ErrorCode.INVALID_PRODUCER_EPOCH if error is ErrorCode.PRODUCER_FENCED and not known else error


def error_code_of(error: YeoulError) -> ErrorCode:
    """Returns the code for an error of the wire, of the log, or of a setting.

    Example:
        >>> from yeoul.log.errors import TopicExists
        >>> error_code_of(TopicExists("Topic 't' exists already")).name
        'TOPIC_ALREADY_EXISTS'
        >>> error_code_of(UserError("Unknown topic configuration 'x'")).name
        'INVALID_CONFIG'
    """
    if isinstance(error, ProtocolError):
        return error.code
    code: ErrorCode | None = getattr(error, "error_code", None)
    if code is not None:
        return code
    return ErrorCode.INVALID_CONFIG if isinstance(error, UserError) else ErrorCode.UNKNOWN_SERVER_ERROR
