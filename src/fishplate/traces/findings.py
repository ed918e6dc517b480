"""What blame says of a step, and the small readers of spans that its rules share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.core.events import Span
from fishplate.traces.blocks import NOTHING
from fishplate.traces.queries import TracedSpan

Verdict: TypeAlias = Literal["retrieval", "tool", "reasoning", "contract", "policy", "none"]

_CONTRACT: Final = frozenset({"contract_in", "contract_out", "bug"})
_POLICY: Final = frozenset(
    {"local_rejection", "deadline", "policy_denied", "budget_exceeded", "rate_limited"}
)
_CONTRACT_CODES: Final = frozenset(
    {
        *("invalid_input", "invalid_output", "contract_violation", "no_branch"),
        *("undeclared_error", "bug", "payload_too_large"),
    }
)
_POLICY_CODES: Final = frozenset(
    {
        *("deadline", "breaker_open", "bulkhead_full", "rate_limited", "limit_reached"),
        *("budget_exceeded", "denied"),
    }
)
_IDENTITY: Final = re.compile(r"(?:^|_)(?:id|number|sku|email|key)$")


class Sign(NamedTuple):
    """What speaks against a step.

    Attributes:
        text: What it is, as a part of a sentence.
        is_doubt: It proves nothing by itself, since it may be so in a run that is right.
    """

    text: str
    is_doubt: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that went wrong.

    Attributes:
        verdict: Whose fault it is.
        path: Of the step.
        span_id: Of its span.
        evidence: What shows it, in one sentence.
        is_sure: It is known, and not concluded.
        is_doubt: It proves nothing by itself, since it may be so in a run that is right.
    """

    verdict: Verdict
    path: str
    span_id: int
    evidence: str
    is_sure: bool
    is_doubt: bool = False

    @staticmethod
    def of(
        one: TracedSpan,
        verdict: Verdict,
        evidence: str,
        *,
        is_sure: bool = False,
        is_doubt: bool = False,
    ) -> Finding:
        """What is found about a span.

        Args:
            one: The span.
            verdict: Whose fault it is.
            evidence: What shows it; the span's kind and name are put before it.
            is_sure: It is known, and not concluded.
            is_doubt: It proves nothing by itself.
        """
        span = one.span
        return Finding(
            verdict=verdict,
            path=span.path,
            span_id=span.span_id,
            evidence=f"{span.kind} {span.name!r}: {evidence}",
            is_sure=is_sure,
            is_doubt=is_doubt,
        )


def verdict_of_failure(one: TracedSpan) -> Verdict:
    """Whose fault it is that a call failed or is degraded, by its error and its kind alone."""
    span, error = one.span, error_of(one)
    code, error_class = facts_of(span).get("error"), error.get("class")
    if span.kind == "tool" and code == "bug" and not _is_misread(error):
        return "tool"  # its body has crashed: what it gave broke nothing, for it gave nothing
    if code in _POLICY_CODES or error_class in _POLICY:
        return "policy"
    if code in _CONTRACT_CODES or error_class in _CONTRACT:
        return "contract"
    if span.kind == "retrieval":
        return "retrieval"
    if error_class == "refusal":
        return "reasoning"
    return "tool"


def _is_misread(error: Mapping[str, Any]) -> bool:
    """Whether a body has crashed over data of another shape than its model, a contract too."""
    return "ValidationError" in {error.get("type"), object_of(error.get("cause")).get("type")}


def error_of(one: TracedSpan) -> Mapping[str, Any]:
    """What is kept of the error that a span ended in; empty if there is nothing."""
    return object_of(object_of(one.gave).get("error"))


def facts_of(span: Span) -> Mapping[str, JsonValue]:
    """What was noted on a span."""
    return span.attributes or {}


def object_of(value: object) -> Mapping[str, Any]:
    """A JSON object; empty if it is something else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def objects_of(value: object) -> Sequence[Mapping[str, Any]]:
    """The objects in a JSON array; empty if it is something else."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", one) for one in items if isinstance(one, dict)]


def texts_of(value: object) -> Sequence[str]:
    """The texts in a JSON array; empty if it is something else."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [one for one in items if isinstance(one, str)]


def ids_of(value: object) -> Iterator[tuple[str, str | int]]:
    """The members of a JSON object that name a thing, by their names: `order_id`, `sku`."""
    for name, member in object_of(value).items():
        is_id = isinstance(member, (str, int)) and not isinstance(member, bool)
        if is_id and _IDENTITY.search(name):
            yield name, member


def text_of(value: object) -> str:
    """JSON text of what a span was given or gave; empty if it was not kept."""
    return "" if value is NOTHING else json.dumps(value, ensure_ascii=False)
