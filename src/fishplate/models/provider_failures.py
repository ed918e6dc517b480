"""What becomes of the failure of a provider: its class, its code, and what is said of it.

It is decided by the type of what the library raised, and never by a text, which is not shown
either: it may quote the key or the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fishplate.core.errors import ErrorClass, Failure, MissingExtraError

try:
    from pydantic_ai import exceptions
except ImportError as error:  # the module itself, or what it is made of
    raise MissingExtraError("pydantic_ai", "models") from error

_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")

# What a 429 says in its body if it is no matter of waiting.
_QUOTA_WORDS: Final = frozenset(
    {"insufficient_quota", "billing_error", "billing_hard_limit_reached", "quota_exceeded"}
)
# The same error as another server's `context_length_exceeded`, by the name that llama.cpp gives it:
# https://github.com/ggml-org/llama.cpp/pull/15780
_CONTEXT_WORD: Final = "exceed_context_size_error"
# Subclasses stand before what they are made of.
_CLASSES: Final[tuple[tuple[type[Exception], ErrorClass, str], ...]] = (
    (exceptions.ModelQuotaExceededError, ErrorClass.QUOTA_EXHAUSTED, "model_quota"),
    (exceptions.ModelRateLimitError, ErrorClass.RATE_LIMITED, "model_rate_limit"),
    (exceptions.ModelOverloadedError, ErrorClass.OVERLOAD, "model_overloaded"),
    (exceptions.ModelUnavailableError, ErrorClass.OVERLOAD, "model_unavailable"),
    (exceptions.ModelServerError, ErrorClass.TRANSIENT, "model_server_error"),
    (exceptions.ModelRequestTimeout, ErrorClass.DEADLINE, "model_deadline"),
    (exceptions.ModelTimeoutError, ErrorClass.TRANSIENT, "model_timeout"),
    (exceptions.ModelConnectionError, ErrorClass.TRANSIENT, "model_connection"),
    (exceptions.ModelAuthenticationError, ErrorClass.PERMANENT, "model_authentication"),
    (exceptions.ModelNotFoundError, ErrorClass.PERMANENT, "model_not_found"),
    (exceptions.ModelContextWindowExceededError, ErrorClass.PERMANENT, "model_context_window"),
    (exceptions.ModelRequestRejectedError, ErrorClass.PERMANENT, "model_request_rejected"),
    (exceptions.ContentFilterError, ErrorClass.REFUSAL, "content_filter"),
    # Undecodable chunks and answers of another form: the next attempt may be whole.
    (exceptions.ModelAPIError, ErrorClass.TRANSIENT, "model_answer_unreadable"),
    (exceptions.UnexpectedModelBehavior, ErrorClass.TRANSIENT, "model_answer_unreadable"),
    (TimeoutError, ErrorClass.TRANSIENT, "model_stalled"),
)
_WHAT: Final[Mapping[str, str]] = {
    "content_filter": "declined to answer",
    "model_answer_unreadable": "sent what cannot be read",
    "model_authentication": "refused the key",
    "model_connection": "could not be reached, or broke the connection off",
    "model_context_window": "takes no conversation as long as this",
    "model_deadline": "had no time left",
    "model_not_found": "is not known to its provider",
    "model_overloaded": "is overloaded",
    "model_quota": "has no quota left",
    "model_rate_limit": "is asked too often",
    "model_request_rejected": "takes no such request",
    "model_server_error": "failed",
    "model_stalled": "was silent for too long",
    "model_timeout": "took too long",
    "model_unavailable": "is not available",
}


def failure_of(name: str, error: Exception) -> Failure:
    """What a model failed with.

    Args:
        name: Of the model.
        error: Of one of the types that stand in the table.
    """
    if (redirect := _redirect_of(error)) is not None:
        return Failure(
            f"the model {name!r} answered {redirect}, a redirect, which is not followed: give the "
            "address that it leads to, url=",
            error_class=ErrorClass.PERMANENT,
            code="model_redirected",
        )
    error_class, code = next(
        (error_class, code) for kind, error_class, code in _CLASSES if isinstance(error, kind)
    )
    status = getattr(error, "status_code", None)
    # What the provider calls it; llama.cpp has the status for a code, and its word beside it.
    names = (getattr(error, f"provider_error_{part}", None) for part in ("code", "type"))
    word = next((one for one in names if isinstance(one, str) and _WORD.fullmatch(one)), None)
    if code == "model_answer_unreadable" and isinstance(status, int):
        error_class, code = _by_status(status)
    if word in _QUOTA_WORDS:
        error_class, code = ErrorClass.QUOTA_EXHAUSTED, "model_quota"
    elif word == _CONTEXT_WORD:
        error_class, code = ErrorClass.PERMANENT, "model_context_window"
    told = f" ({word})" if word else ""
    what = f"answered {status}{told}" if isinstance(status, int) else _WHAT[code]
    return Failure(
        f"the model {name!r} {what}",
        error_class=error_class,
        code=code,
        retry_after=getattr(error, "retry_after", None),
    )


def _redirect_of(error: Exception) -> int | None:
    """The status of a redirect; `None` for any other failure.

    The library has no type for it, and says the status of errors alone.
    """
    response: object = getattr(error.__cause__, "response", None)
    status: object = getattr(response, "status_code", None)
    if not isinstance(status, int):
        return None
    return status if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST else None


def _by_status(status: int) -> tuple[ErrorClass, str]:
    """What a status means that the library has no type for."""
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return ErrorClass.TRANSIENT, "model_timeout"
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ErrorClass.PERMANENT, "model_request_rejected"
    return ErrorClass.TRANSIENT, "model_server_error"
