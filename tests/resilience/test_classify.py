"""The type, the status and the code decide the class of a failure; a message never does."""

import asyncio
import socket

import pytest

from fishplate.core.errors import ErrorClass, Failure
from fishplate.core.outcome import DeclaredError
from fishplate.core.suspension import OutOfTimeError
from fishplate.resilience.classify import (
    check_error_map,
    class_of_status,
    classify,
    code_of,
    had_no_effect,
)


class VendorError(Exception):
    """Base of a vendor's errors."""


class VendorBusyError(VendorError):
    """One of them."""


class NotFound(DeclaredError):  # noqa: N818 -- named as a contract names it
    """A declared error."""

    order_id: str


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        (ConnectionResetError(), ErrorClass.TRANSIENT),
        (ConnectionRefusedError(), ErrorClass.TRANSIENT),
        (TimeoutError(), ErrorClass.TRANSIENT),
        (socket.gaierror(), ErrorClass.TRANSIENT),
        (asyncio.IncompleteReadError(b"", 3), ErrorClass.TRANSIENT),
        (OSError(), ErrorClass.BUG),
        (KeyError(), ErrorClass.BUG),
        (ValueError("503 overloaded, retry later"), ErrorClass.BUG),
        (NotFound(order_id="1"), ErrorClass.PERMANENT),
        (Failure("no", error_class=ErrorClass.REFUSAL), ErrorClass.REFUSAL),
    ],
)
def test_an_exception_without_a_map_is_known_or_a_bug(
    error: Exception, error_class: ErrorClass
) -> None:
    """Python's own lost connections are transient, and the words of a message mean nothing."""
    assert classify(error) is error_class


def test_the_most_specific_type_of_the_map_decides() -> None:
    """In whatever order the map is written, and before the table of Python's own."""
    mapping: dict[type[Exception], ErrorClass] = {
        Exception: ErrorClass.PERMANENT,
        VendorError: ErrorClass.TRANSIENT,
        VendorBusyError: ErrorClass.OVERLOAD,
        NotFound: ErrorClass.OVERLOAD,
    }

    assert classify(VendorBusyError(), mapping) is ErrorClass.OVERLOAD
    assert classify(VendorError(), mapping) is ErrorClass.TRANSIENT
    assert classify(ConnectionError(), mapping) is ErrorClass.PERMANENT
    assert classify(NotFound(order_id="1"), mapping) is ErrorClass.OVERLOAD


def test_an_error_of_fishplate_knows_its_class() -> None:
    """No map overrules it."""
    denied = Failure("no", error_class=ErrorClass.POLICY_DENIED)

    assert classify(denied, {Failure: ErrorClass.TRANSIENT}) is ErrorClass.POLICY_DENIED


@pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, "ValueError"])
def test_a_map_cannot_name_cancellation(kind: object) -> None:
    """Whoever mapped it could retry a call that was cancelled."""
    mapping: dict[object, ErrorClass] = {kind: ErrorClass.TRANSIENT}

    with pytest.raises(ValueError, match="a key is a subclass of Exception"):
        check_error_map(mapping)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- refused


def test_a_map_names_classes() -> None:
    """A word is no class."""
    mapping: dict[type[Exception], object] = {ValueError: "transient"}

    with pytest.raises(ValueError, match="a value is an ErrorClass"):
        check_error_map(mapping)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- refused


STATUSES: list[tuple[int, str | None, ErrorClass]] = [
    (302, None, ErrorClass.PERMANENT),
    (400, None, ErrorClass.PERMANENT),
    (400, "content_filter", ErrorClass.REFUSAL),
    (401, None, ErrorClass.PERMANENT),
    (402, None, ErrorClass.QUOTA_EXHAUSTED),
    (404, None, ErrorClass.PERMANENT),
    (408, None, ErrorClass.TRANSIENT),
    (409, None, ErrorClass.PERMANENT),
    (409, "idempotency_key_in_use", ErrorClass.TRANSIENT),
    (413, None, ErrorClass.PERMANENT),
    (422, None, ErrorClass.PERMANENT),
    (429, None, ErrorClass.RATE_LIMITED),
    (429, "rate_limit_exceeded", ErrorClass.RATE_LIMITED),
    (429, "insufficient_quota", ErrorClass.QUOTA_EXHAUSTED),
    (429, "a word that nobody knows", ErrorClass.RATE_LIMITED),
    (500, None, ErrorClass.TRANSIENT),
    (500, "overloaded_error", ErrorClass.OVERLOAD),
    (501, None, ErrorClass.PERMANENT),
    (502, None, ErrorClass.TRANSIENT),
    (503, None, ErrorClass.OVERLOAD),
    (504, None, ErrorClass.TRANSIENT),
    (529, None, ErrorClass.OVERLOAD),
]


@pytest.mark.parametrize(("status", "code", "error_class"), STATUSES)
def test_an_http_answer_has_the_class_of_its_status_and_code(
    status: int, code: str | None, error_class: ErrorClass
) -> None:
    """An exceeded rate and an exhausted quota share a status; only the body tells them apart."""
    assert class_of_status(status, code) is error_class


def test_a_success_has_no_class() -> None:
    """Only failures are classified."""
    with pytest.raises(ValueError, match=r"class_of_status\(204\): the status is no failure"):
        class_of_status(204)


def test_the_code_says_what_happened() -> None:
    """A typed error brings its own; a lost connection is one; the rest is told by its class."""
    assert code_of(Failure("no", error_class=ErrorClass.BUG, code="odd"), ErrorClass.BUG) == "odd"
    assert code_of(NotFound(order_id="1"), ErrorClass.PERMANENT) == "not_found"
    assert code_of(ConnectionResetError(), ErrorClass.TRANSIENT) == "connection"
    assert code_of(TimeoutError(), ErrorClass.TRANSIENT) == "timeout"
    assert code_of(VendorBusyError(), ErrorClass.OVERLOAD) == "overload"


def test_only_what_failed_before_sending_proves_that_nothing_happened() -> None:
    """A reset or a timeout may come after the other side has acted."""
    assert had_no_effect(ConnectionRefusedError())
    assert had_no_effect(socket.gaierror())
    assert not had_no_effect(ConnectionResetError())
    assert not had_no_effect(TimeoutError())


@pytest.mark.parametrize(
    ("cause", "is_proved"), [(ConnectionRefusedError, True), (ConnectionResetError, False)]
)
def test_a_failure_proves_it_by_what_it_was_raised_from(
    cause: type[Exception], *, is_proved: bool
) -> None:
    """A body that says how its failure is to be treated does not hide that nothing was sent."""
    failure = Failure("no answer", error_class=ErrorClass.OVERLOAD)
    failure.__cause__ = cause()

    assert had_no_effect(failure) is is_proved


def test_a_timeout_proves_nothing_by_how_its_attempt_ended() -> None:
    """What was raised while an attempt was being cancelled says nothing of what it had sent."""
    cut_off = OutOfTimeError()
    cut_off.__cause__ = ConnectionRefusedError()

    assert not had_no_effect(cut_off)
