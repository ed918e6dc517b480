"""Which failures each kind of fallback may answer, and which settings are impossible."""

import math
from typing import Any

import pytest

from fishplate import ErrorClass, Stale
from fishplate.resilience.fallback import AnswerKind, may_answer

ALWAYS = frozenset(
    {
        ErrorClass.TRANSIENT,
        ErrorClass.OVERLOAD,
        ErrorClass.RATE_LIMITED,
        ErrorClass.QUOTA_EXHAUSTED,
        ErrorClass.CONTRACT_OUT,
        ErrorClass.DEADLINE,
        ErrorClass.LOCAL_REJECTION,
    }
)


@pytest.mark.parametrize(
    ("kind", "beside"),
    [
        ("agent", set[ErrorClass]()),
        ("stale", {ErrorClass.BUDGET_EXCEEDED}),
        ("static", {ErrorClass.BUDGET_EXCEEDED, ErrorClass.POLICY_DENIED}),
    ],
)
def test_a_kind_of_answer_stands_in_for_these_classes(
    kind: AnswerKind, beside: set[ErrorClass]
) -> None:
    """Free answers where the budget is spent, a fixed one where a policy denies, no other."""
    assert {found for found in ErrorClass if may_answer(kind, found)} == ALWAYS | beside


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"max_age": 0, "scope": "orders"}, r"Stale\(max_age=0\): max_age is .* above 0"),
        ({"max_age": math.nan, "scope": "orders"}, r"Stale\(max_age=nan\): max_age is"),
        ({"max_age": 60, "scope": ""}, "scope"),
        ({"max_age": 60, "scope": "orders:read"}, "scope is the first word"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], told: str) -> None:
    """The refusal names the field and its bound."""
    with pytest.raises(ValueError, match=told):
        Stale(**settings)


def test_what_may_be_remembered_is_data() -> None:
    """It survives its JSON form."""
    stale = Stale(max_age=86_400, scope="orders")

    assert Stale.from_json(stale.to_json()) == stale
