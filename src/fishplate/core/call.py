"""The one call shape: `await agent(x)` hands a deferred call to whoever is in charge just then.

In a workflow's declaration that is the recorder, in an agent's body the running call, elsewhere the
app.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextvars import ContextVar
from typing import Generic, Protocol, TypeVar

from fishplate.core.errors import UsageError

R_co = TypeVar("R_co", covariant=True)


class Scope(Protocol):
    """Who answers a deferred call."""

    def issue(self, deferred: Deferred[R_co]) -> Generator[object, object, R_co]:
        """Answer a deferred call; the caller's `await` drives the generator."""
        ...


class Recorder(Scope, Protocol):
    """A scope that hears of every deferred call, awaited or not."""

    def opened(self, deferred: Deferred[object]) -> None:
        """Hear of a deferred call when it is made."""
        ...

    def build(self, model: type, fields: Mapping[str, object]) -> object:
        """Stand for an object that will be built from recorded values."""
        ...


RECORDER: ContextVar[Recorder | None] = ContextVar("fishplate_recorder", default=None)
SCOPE: ContextVar[Scope | None] = ContextVar("fishplate_scope", default=None)


class Outside:
    """Holds who answers a call that is made outside of every app and body."""

    scope: Scope | None = None


class Deferred(Generic[R_co]):
    """What is awaited in a workflow, in a body, or outside: a call, or a composition of calls."""

    __slots__ = ()

    def __await__(self) -> Generator[object, object, R_co]:
        """Ask whoever is in charge for the result."""
        scope = RECORDER.get() or SCOPE.get() or Outside.scope
        if scope is None:
            msg = "nothing can answer this call: import it through the package 'fishplate'"
            raise UsageError(msg, code="no_app")
        return scope.issue(self)


def missing_await(error: BaseException) -> str | None:
    """What an `AttributeError` says if a deferred call was used as if it were its value."""
    owner: object = error.obj if isinstance(error, AttributeError) else None
    if not isinstance(error, AttributeError) or not isinstance(owner, Deferred):
        return None
    return f"{owner!r} is not awaited, so it has no {error.name!r}: write (await ...).{error.name}"
