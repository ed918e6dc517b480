"""The search in the refund policy: what it finds, and that the policy says what the rules do."""

from typing import get_args

import pytest

from examples.order_support.policy_search import PolicySearch, Section, read_sections
from examples.order_support.refund_rules import RULES, Days, ReasonCode
from examples.order_support.refunds import cited_rule
from examples.order_support.shop_rules import OrderStatus
from fishplate import App

FOUND = PolicySearch().search("the order came too late")
SECTION_OF: dict[ReasonCode, str] = {
    "damaged": "Damaged and wrong items",
    "wrong_item": "Damaged and wrong items",
    "late": "Late orders",
    "changed_mind": "Change of mind",
}
NOT_DELIVERED: dict[OrderStatus, str] = {
    "pending": "Orders that are pending or being sent",
    "pending (item modified)": "Orders that are pending or being sent",
    "processed": "Orders that are pending or being sent",
    "cancelled": "Cancelled orders",
    "return requested": "Returns and exchanges under way",
    "exchange requested": "Returns and exchanges under way",
}


@pytest.mark.parametrize(
    ("status", "reason", "section"),
    [
        *[("delivered", reason, section) for reason, section in SECTION_OF.items()],
        *[(status, "damaged", section) for status, section in NOT_DELIVERED.items()],
    ],
)
async def test_each_refund_cites_its_section(
    status: OrderStatus, reason: ReasonCode, section: str
) -> None:
    """The section is about the reason, or about the status of an order that is not delivered."""
    async with App(cited_rule, resources={PolicySearch: PolicySearch}):
        cited = await cited_rule(status, reason)

    assert cited.section == section


async def test_what_was_found_stands_in_the_trace_with_its_scores() -> None:
    """Passages with scores and text, which of them was used, and what was asked."""
    async with App(cited_rule, resources={PolicySearch: PolicySearch}) as app:
        run = app.start(cited_rule, "delivered", "late")
        await run.result()
        [span] = [one for one in app.spans(run) if one.kind == "retrieval"]

    facts = dict(span.attributes or {})
    assert facts["passages"] == [
        {"id": one.id, "score": one.score, "text": one.text} for one in FOUND
    ]
    assert (FOUND[0].id, FOUND[0].score) == ("Late orders", 1.0)
    assert (span.name, facts["used"]) == ("refund_policy", ["Late orders"])
    assert facts["query"] == "the order came too late"


async def test_a_section_that_does_not_fit_is_not_cited() -> None:
    """Below the least score nothing is used, and the reply names no section."""
    strange = [Section(title="Late nights", text="We are open late.")]
    async with App(cited_rule, resources={PolicySearch: lambda: PolicySearch(strange)}) as app:
        assert (await cited_rule("delivered", "late")).section == "Late nights"
        run = app.start(cited_rule, "delivered", "damaged")
        assert (await run.result()).section is None
        [span] = [one for one in app.spans(run) if one.kind == "retrieval"]

    assert (span.attributes or {})["used"] == []


def test_scores_are_shares() -> None:
    """A section that holds every word of the question has 1, one that holds none is not found."""
    search = PolicySearch([Section(title="A", text="late orders"), Section(title="B", text="gift")])

    assert [(one.id, one.score) for one in search.search("orders that are late")] == [("A", 1.0)]
    assert search.search("nothing of this") == ()
    assert [one.score for one in search.search("late gift")] == [0.5, 0.5]


def test_the_policy_has_the_numbers_of_the_rules() -> None:
    """Every limit in days that the table knows stands in the section about its reason."""
    texts = {one.title: one.text for one in read_sections()}
    for rule in RULES:
        if not isinstance(rule.days, Days):
            continue
        limits = {rule.days.last} if rule.days.first == 0 else {rule.days.first - 1}
        for reason in rule.reasons & set(get_args(ReasonCode)):
            for limit in limits - {None}:
                assert f"{limit} days" in texts[SECTION_OF[reason]], rule.name
    assert "10 percent" in texts["Change of mind"]
