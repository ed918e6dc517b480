"""Which class a failure has: decided by its type, its status and its code, never by its message."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from fishplate.core.errors import ErrorClass, Failure, FishplateError
from fishplate.core.outcome import DeclaredError

ErrorMap: TypeAlias = Mapping[type[Exception], ErrorClass]

NO_MAP: Final[ErrorMap] = MappingProxyType({})

# What Python itself raises when the other side cannot be reached or goes away.
_PYTHONS_OWN: Final[ErrorMap] = MappingProxyType(
    {
        ConnectionError: ErrorClass.TRANSIENT,
        TimeoutError: ErrorClass.TRANSIENT,
        socket.gaierror: ErrorClass.TRANSIENT,
        asyncio.IncompleteReadError: ErrorClass.TRANSIENT,
        DeclaredError: ErrorClass.PERMANENT,
    }
)
# Raised before anything was sent: refused, or no address.
_WITHOUT_EFFECT: Final = (ConnectionRefusedError, socket.gaierror)

_REFUSALS: Final = frozenset(
    {
        ErrorClass.PERMANENT,
        ErrorClass.POLICY_DENIED,
        ErrorClass.QUOTA_EXHAUSTED,
        ErrorClass.RATE_LIMITED,
    }
)

# Numbers, since the module `http` costs every import of fishplate 2 ms: RFC 9110, section 15.
_LOWEST_FAILURE: Final = 300
_SERVER_ERROR: Final = 500
_OVERLOADED: Final = 529  # not registered; Anthropic and Shopify use it
_STATUS: Final[Mapping[int, ErrorClass]] = MappingProxyType(
    {
        402: ErrorClass.QUOTA_EXHAUSTED,
        408: ErrorClass.TRANSIENT,
        429: ErrorClass.RATE_LIMITED,
        501: ErrorClass.PERMANENT,
        503: ErrorClass.OVERLOAD,
        505: ErrorClass.PERMANENT,
        _OVERLOADED: ErrorClass.OVERLOAD,
    }
)
# Codes in the body that say more than the status, as providers of models and payments send them.
_CODES: Final[Mapping[str, ErrorClass]] = MappingProxyType(
    {
        "insufficient_quota": ErrorClass.QUOTA_EXHAUSTED,
        "billing_error": ErrorClass.QUOTA_EXHAUSTED,
        "billing_hard_limit_reached": ErrorClass.QUOTA_EXHAUSTED,
        "quota_exceeded": ErrorClass.QUOTA_EXHAUSTED,
        "rate_limit_error": ErrorClass.RATE_LIMITED,
        "rate_limit_exceeded": ErrorClass.RATE_LIMITED,
        "overloaded_error": ErrorClass.OVERLOAD,
        "lock_timeout": ErrorClass.TRANSIENT,
        "idempotency_key_in_use": ErrorClass.TRANSIENT,
        "content_filter": ErrorClass.REFUSAL,
        "content_policy_violation": ErrorClass.REFUSAL,
    }
)


def check_error_map(mapping: ErrorMap) -> None:
    """Refuse a map that names what is not an exception to classify.

    Cancellation is no failure: whoever mapped it could retry a call that was cancelled.

    Raises:
        ValueError: A key is not a subclass of `Exception`, or a value is not an `ErrorClass`.
    """
    for kind, error_class in mapping.items():
        if not _is_exception(kind):
            msg = f"errors={{{kind!r}: ...}}: a key is a subclass of Exception"
            raise ValueError(msg)
        if not _is_error_class(error_class):
            msg = f"errors={{{kind.__name__}: {error_class!r}}}: a value is an ErrorClass"
            raise ValueError(msg)


def classify(error: Exception, mapping: ErrorMap = NO_MAP) -> ErrorClass:
    """The class of an exception.

    A `FishplateError` knows its class. Else the declared map decides, the most specific type first,
    then the table of Python's own exceptions; what is in neither is a bug.

    Args:
        error: What was raised; cancellation is no `Exception` and never comes here.
        mapping: Exception type → class, as the agent or tool declares it.
    """
    if isinstance(error, FishplateError):
        return error.error_class
    for known in (mapping, _PYTHONS_OWN):
        for kind in type(error).__mro__:
            if kind in known:
                return known[kind]
    return ErrorClass.BUG


def code_of(error: Exception, error_class: ErrorClass) -> str:
    """The stable word for what an exception says happened."""
    if isinstance(error, (FishplateError, DeclaredError)):
        return error.code
    if isinstance(error, TimeoutError):
        return "timeout"
    return (
        "connection" if isinstance(error, (ConnectionError, socket.gaierror)) else error_class.word
    )


def had_no_effect(error: Exception) -> bool:
    """Whether an exception proves that the other side did nothing: nothing had been sent yet.

    A `Failure` proves it by the exception that it was raised from.
    """
    cause = error.__cause__ if isinstance(error, Failure) else None
    return isinstance(error, _WITHOUT_EFFECT) or isinstance(cause, _WITHOUT_EFFECT)


def did_nothing(error: Exception, mapping: ErrorMap = NO_MAP) -> bool:
    """Whether an attempt's failure proves that the other side did nothing.

    Either nothing had been sent, or the other side refused, if the body reports it as such: by a
    `Failure`, or by an exception that its map of errors names.

    Args:
        error: What the attempt raised.
        mapping: Class of the exceptions that it may raise.
    """
    if isinstance(error, FishplateError):
        if error.error_class is ErrorClass.LOCAL_REJECTION:
            return True
        if isinstance(error, Failure) and error.error_class in _REFUSALS:
            return True
    elif any(kind in mapping for kind in type(error).__mro__) and (
        classify(error, mapping) in _REFUSALS
    ):
        return True
    return any(
        isinstance(found, Exception) and had_no_effect(found) for found in (error, error.__cause__)
    )


def class_of_status(status: int, code: str | None = None) -> ErrorClass:
    """The class of an HTTP answer that is not a success, for adapters.

    Args:
        status: 300 to 599.
        code: The word with which the body names the error, if it has one. It decides where the
            status cannot: a 429 for an exceeded rate and one for an exhausted quota look alike.

    Raises:
        ValueError: The status is no failure.
    """
    if status < _LOWEST_FAILURE:
        msg = f"class_of_status({status}): the status is no failure; classify 300 and above"
        raise ValueError(msg)
    if code is not None and code in _CODES:
        return _CODES[code]
    if status in _STATUS:
        return _STATUS[status]
    is_server_error = status >= _SERVER_ERROR
    return ErrorClass.TRANSIENT if is_server_error else ErrorClass.PERMANENT


def _is_exception(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)


def _is_error_class(value: object) -> bool:
    return isinstance(value, ErrorClass)
