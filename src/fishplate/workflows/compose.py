"""The words that compose agents: each gives a deferred composition, to be awaited like a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, overload

from pydantic import BaseModel

from fishplate.agents.agent import Call
from fishplate.contracts.contract import Contract
from fishplate.contracts.schema import Schema
from fishplate.core.call import RECORDER, Deferred
from fishplate.core.data import dataclass
from fishplate.core.outcome import Degraded, Rejected, TimedOut

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
G = TypeVar("G")
H = TypeVar("H")
T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")
T7 = TypeVar("T7")
T8 = TypeVar("T8")
M = TypeVar("M", bound=BaseModel)
R_co = TypeVar("R_co", covariant=True)


class Composition(Deferred[R_co]):
    """A composition of calls that is not awaited yet."""

    __slots__ = ("word",)

    def __init__(self, word: Word) -> None:
        self.word = word
        recorder = RECORDER.get()
        if recorder is not None:
            recorder.opened(self)

    def __repr__(self) -> str:
        return f"<{type(self.word).__name__.lower()}>"


@dataclass(frozen=True, slots=True)
class Route:
    """What `route` was given."""

    branches: tuple[object, ...]
    on: object


@dataclass(frozen=True, slots=True)
class Switch:
    """What `switch` was given."""

    cases: tuple[object, ...]
    on: object
    default: object | None


@dataclass(frozen=True, slots=True)
class Parallel:
    """What `parallel` was given."""

    calls: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Each:
    """What `each` was given."""

    branch: Callable[[Any], object]
    items: object
    concurrency: int | None
    key: str | None


@dataclass(frozen=True, slots=True)
class Repeat:
    """What `repeat` was given."""

    branch: Callable[[Any], object]
    start: object
    until: str
    at_most: int


@dataclass(frozen=True, slots=True)
class Approval:
    """What `approval` was given."""

    call: object
    roles: object
    within: float


@dataclass(frozen=True, slots=True)
class WaitFor:
    """What `wait_for` was given."""

    signal: object
    model: object
    within: float | None
    default: object | None


@dataclass(frozen=True, slots=True)
class Sleep:
    """What `sleep` was given."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Graded:
    """What `graded` was given."""

    call: object


Word = Route | Switch | Parallel | Each | Repeat | Approval | WaitFor | Sleep | Graded


class When(Generic[A, R_co]):
    """A branch of `route` that needs more than its value."""

    def __init__(self, member: object, branch: Callable[[A], Awaitable[R_co]]) -> None:
        self.member = member
        self.branch = branch

    def __call__(self, value: A, /) -> Awaitable[R_co]:
        """What the branch does with its member."""
        return self.branch(value)


def when(member: type[A], branch: Callable[[A], Awaitable[T]]) -> When[A, T]:
    """A branch that needs more than its value: `when(Refund, lambda r: step(r, query))`."""
    return When(member, branch)


@overload
def route(a: Callable[[A], Awaitable[T1]], /, *, on: A) -> Composition[T1]: ...
@overload
def route(
    a: Callable[[A], Awaitable[T1]], b: Callable[[B], Awaitable[T2]], /, *, on: A | B
) -> Composition[T1 | T2]: ...
@overload
def route(
    a: Callable[[A], Awaitable[T1]],
    b: Callable[[B], Awaitable[T2]],
    c: Callable[[C], Awaitable[T3]],
    /,
    *,
    on: A | B | C,
) -> Composition[T1 | T2 | T3]: ...
@overload
def route(
    a: Callable[[A], Awaitable[T1]],
    b: Callable[[B], Awaitable[T2]],
    c: Callable[[C], Awaitable[T3]],
    d: Callable[[D], Awaitable[T4]],
    /,
    *,
    on: A | B | C | D,
) -> Composition[T1 | T2 | T3 | T4]: ...
@overload
def route(
    a: Callable[[A], Awaitable[T1]],
    b: Callable[[B], Awaitable[T2]],
    c: Callable[[C], Awaitable[T3]],
    d: Callable[[D], Awaitable[T4]],
    e: Callable[[E], Awaitable[T5]],
    /,
    *,
    on: A | B | C | D | E,
) -> Composition[T1 | T2 | T3 | T4 | T5]: ...
@overload
def route(
    a: Callable[[A], Awaitable[T1]],
    b: Callable[[B], Awaitable[T2]],
    c: Callable[[C], Awaitable[T3]],
    d: Callable[[D], Awaitable[T4]],
    e: Callable[[E], Awaitable[T5]],
    f: Callable[[F], Awaitable[T6]],
    /,
    *,
    on: A | B | C | D | E | F,
) -> Composition[T1 | T2 | T3 | T4 | T5 | T6]: ...
@overload
def route(
    a: Callable[[A], Awaitable[T1]],
    b: Callable[[B], Awaitable[T2]],
    c: Callable[[C], Awaitable[T3]],
    d: Callable[[D], Awaitable[T4]],
    e: Callable[[E], Awaitable[T5]],
    f: Callable[[F], Awaitable[T6]],
    g: Callable[[G], Awaitable[T7]],
    /,
    *,
    on: A | B | C | D | E | F | G,
) -> Composition[T1 | T2 | T3 | T4 | T5 | T6 | T7]: ...
@overload
def route(
    a: Callable[[A], Awaitable[T1]],
    b: Callable[[B], Awaitable[T2]],
    c: Callable[[C], Awaitable[T3]],
    d: Callable[[D], Awaitable[T4]],
    e: Callable[[E], Awaitable[T5]],
    f: Callable[[F], Awaitable[T6]],
    g: Callable[[G], Awaitable[T7]],
    h: Callable[[H], Awaitable[T8]],
    /,
    *,
    on: A | B | C | D | E | F | G | H,
) -> Composition[T1 | T2 | T3 | T4 | T5 | T6 | T7 | T8]: ...
def route(*branches: Callable[[Any], Awaitable[Any]], on: object) -> Composition[Any]:
    """Go on by the member type of a union; every member needs a branch.

    Args:
        branches: Agents that take one member each, or `when(Member, lambda m: ...)`; in any order.
        on: The value.
    """
    return Composition(Route(branches, on))


@overload
def switch(
    a: tuple[T, Awaitable[T1]], /, *, on: T, default: Awaitable[T2]
) -> Composition[T1 | T2]: ...
@overload
def switch(
    a: tuple[T, Awaitable[T1]], b: tuple[T, Awaitable[T2]], /, *, on: T
) -> Composition[T1 | T2]: ...
@overload
def switch(
    a: tuple[T, Awaitable[T1]], b: tuple[T, Awaitable[T2]], /, *, on: T, default: Awaitable[T3]
) -> Composition[T1 | T2 | T3]: ...
@overload
def switch(
    a: tuple[T, Awaitable[T1]], b: tuple[T, Awaitable[T2]], c: tuple[T, Awaitable[T3]], /, *, on: T
) -> Composition[T1 | T2 | T3]: ...
@overload
def switch(
    a: tuple[T, Awaitable[T1]],
    b: tuple[T, Awaitable[T2]],
    c: tuple[T, Awaitable[T3]],
    /,
    *,
    on: T,
    default: Awaitable[T4],
) -> Composition[T1 | T2 | T3 | T4]: ...
@overload
def switch(
    a: tuple[T, Awaitable[T1]],
    b: tuple[T, Awaitable[T2]],
    c: tuple[T, Awaitable[T3]],
    d: tuple[T, Awaitable[T4]],
    /,
    *,
    on: T,
    default: Awaitable[T5] | None = None,
) -> Composition[T1 | T2 | T3 | T4 | T5]: ...
@overload
def switch(
    *cases: tuple[T, Awaitable[T1]], on: T, default: Awaitable[T1] | None = None
) -> Composition[T1]: ...
def switch(
    *cases: tuple[Any, Awaitable[Any]], on: object, default: Awaitable[Any] | None = None
) -> Composition[Any]:
    """Go on by the value of an enum, a literal or a boolean.

    Args:
        cases: Pairs of a value and a call that is not awaited; with `default` they cover every
            value.
        on: The value.
        default: The call for every value that no case names.
    """
    return Composition(Switch(cases, on, default))


@overload
def parallel(a: Awaitable[T1], b: Awaitable[T2], /) -> Composition[tuple[T1, T2]]: ...
@overload
def parallel(
    a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], /
) -> Composition[tuple[T1, T2, T3]]: ...
@overload
def parallel(
    a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], d: Awaitable[T4], /
) -> Composition[tuple[T1, T2, T3, T4]]: ...
@overload
def parallel(
    a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], d: Awaitable[T4], e: Awaitable[T5], /
) -> Composition[tuple[T1, T2, T3, T4, T5]]: ...
@overload
def parallel(*calls: Awaitable[T]) -> Composition[tuple[T, ...]]: ...
def parallel(*calls: Awaitable[Any]) -> Composition[Any]:
    """Run calls side by side, each in a task of its own; the first failure cancels the others."""
    return Composition(Parallel(calls))


def each(
    branch: Callable[[A], Awaitable[T]],
    items: Sequence[A],
    /,
    *,
    concurrency: int | None = None,
    key: str | None = None,
) -> Composition[list[T]]:
    """Run an agent for every element, each in a task of its own; gives a list in their order.

    Args:
        branch: An agent of one parameter, or `lambda item: step(item, query)`.
        items: The elements; at most 10,000.
        concurrency: Most that run at a time; at least 1, `None` for all.
        key: Required field of an element that names it in traces and idempotency keys; by default
            its position.
    """
    return Composition(Each(branch, items, concurrency, key))


def repeat(
    branch: Callable[[A], Awaitable[A]], start: A, /, *, until: str, at_most: int
) -> Composition[A]:
    """Run an agent on its own output until a boolean field of it is true.

    Args:
        branch: An agent whose output it takes itself.
        start: The first input.
        until: Name of the boolean field.
        at_most: Most runs, at least 1; after them the step fails with `limit_reached`.
    """
    return Composition(Repeat(branch, start, until, at_most))


def approval(call: Call[T], /, *, roles: Sequence[str], within: float) -> Composition[T | Rejected]:
    """Wait until somebody approves exactly this call, then run it.

    Args:
        call: Not awaited; the approval is bound to its arguments.
        roles: Who may decide; at least one.
        within: Seconds after which it counts as rejected.
    """
    return Composition(Approval(call, roles, within))


@overload
def wait_for(signal: str, model: type[M], /) -> Composition[M]: ...
@overload
def wait_for(signal: str, model: type[M], /, *, within: float) -> Composition[M | TimedOut]: ...
@overload
def wait_for(signal: str, model: type[M], /, *, within: float, default: M) -> Composition[M]: ...
@overload
def wait_for(
    signal: str,
    model: Contract | Schema | str | Path,
    /,
    *,
    within: float | None = None,
    default: object = None,
) -> Composition[Any]: ...
def wait_for(
    signal: str, model: object, /, *, within: float | None = None, default: object | None = None
) -> Composition[Any]:
    """Wait for a signal from outside the run.

    Args:
        signal: Its name.
        model: What it carries: a model, a schema, or a contract file, whose output is meant.
        within: Seconds to wait; past them it gives `default`, or `TimedOut`.
        default: Instead of `TimedOut`.
    """
    return Composition(WaitFor(signal, model, within, default))


def sleep(seconds: float, /) -> Composition[None]:
    """Wait; the time counts against no deadline."""
    return Composition(Sleep(seconds))


def graded(call: Call[T], /) -> Composition[Degraded[T]]:
    """The call's value with the reasons why it is degraded, for a step that must know."""
    return Composition(Graded(call))


def struct(model: type[M], /, **fields: object) -> M:
    """Build an input from several values: `struct(Letter, name=who.name, text=reply)`.

    Raises:
        pydantic.ValidationError: In a running body, where this is the model's own constructor.
    """
    recorder = RECORDER.get()
    if recorder is None:
        return model(**fields)
    return cast("M", recorder.build(model, fields))
