"""The headers by which what a provider does stands below the call that asks it.

Trace ids are random and say nothing of anybody, so every provider gets them. Baggage is text of the
caller's: it may say whose request it is, so a provider gets the members alone that were named when
the model was configured. See `docs/decisions/baggage-to-providers.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from fishplate.core.call import SCOPE
from fishplate.core.current import Current
from fishplate.core.errors import UsageError
from fishplate.core.trace_context import format_baggage, is_member_name


def trace_headers(passed_on: Iterable[str]) -> dict[str, str]:
    """`traceparent` and `baggage` of the running call; empty where none runs.

    Args:
        passed_on: Names of the members of the caller's baggage that go out.

    Source: W3C Trace Context, section 3.2; W3C Baggage, sections 3.3.1 and 5.
    """
    call: object = SCOPE.get()  # as `TraceIds`: a call is no scope by its class
    if not isinstance(call, Current):
        return {}
    found = {"traceparent": call.traceparent}
    if call.run.caller is not None:
        known = call.run.caller.baggage
        baggage = format_baggage({name: known[name] for name in passed_on if name in known})
        if baggage:
            found["baggage"] = baggage
    return found


def check_member_names(model: str, names: object) -> tuple[str, ...]:
    """Names of members of baggage, as they were configured.

    Raises:
        UsageError: It is one text, or holds what is no name of a member (code `bad_baggage`).
    """
    if not isinstance(names, str) and isinstance(names, Iterable):
        found = tuple(cast("Iterable[object]", names))
        if all(isinstance(one, str) and is_member_name(one) for one in found):
            return cast("tuple[str, ...]", found)
    msg = (
        f"baggage={names!r} of the model {model!r} are no names of members: list those that the "
        "provider may read, baggage=('team', 'session')"
    )
    raise UsageError(msg, code="bad_baggage")
