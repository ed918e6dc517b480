"""Refunds: from the facts over the rules and, where it is much, a person, to the money."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final, assert_never

from examples.order_support.agents import customer_order
from examples.order_support.delivery import days_since_delivery
from examples.order_support.models import (
    AskedBefore,
    Citation,
    NoRefund,
    NotFound,
    Paid,
    RefundAnswer,
    RefundDue,
    RefundRequest,
)
from examples.order_support.policy_search import LEAST_SCORE, SOURCE, PolicySearch
from examples.order_support.refund_rules import (
    ReasonCode,
    RefundDecision,
    RefundTable,
    decided_by,
    facts_of,
)
from examples.order_support.shop_clock import shop_now
from examples.order_support.shop_rules import OrderStatus
from examples.order_support.tools import Refused, get_order_details, issue_refund
from fishplate import (
    FishplateError,
    Rejected,
    agent,
    approval,
    current,
    route,
    switch,
    workflow,
)

APPROVED_ABOVE: Final = Decimal(2000)
"""In the shop's currency: up to this, rules alone suffice, above it somebody has to agree."""

SUPPORT_LEAD: Final = "support_lead"
"""The role that decides about large refunds."""

LEADS_DECIDE_WITHIN: Final = 3 * 86_400.0
"""Seconds, after which nobody has agreed."""

NOT_DELIVERED: Final = -1
"""For a contract whose day count has no word for it: below 0, no day of delivery has come yet."""

_REASONS: Final[Mapping[ReasonCode, str]] = {
    "damaged": "something arrived damaged",
    "late": "the order came too late",
    "wrong_item": "a wrong item",
    "changed_mind": "a change of mind",
}
_STATUSES: Final[Mapping[OrderStatus, str]] = {
    "pending": "an order that is pending",
    "pending (item modified)": "a pending order whose items were modified",
    "processed": "an order that is being sent",
    "cancelled": "an order that was cancelled, and its payment",
    "return requested": "a return that is under way",
    "exchange requested": "an exchange that is under way",
}
_LIMIT: Final = re.compile(r"(?:within(?: the)?|more than) (\d+)")


@agent(
    version="1.0.0",
    tools=[get_order_details],
    contract=Path(__file__).parent / "refund_eligibility.json",
)
async def refund_eligibility(
    order_id: str, reason_code: ReasonCode, days_since_delivery: int
) -> RefundDecision:
    """Decide by the shop's rules whether money goes back, how much, and where to.

    Whose order it is has been checked before. Days below 0 mean that no day of delivery has come.
    """
    try:
        order = await get_order_details(order_id)
    except Refused:
        return RefundDecision(
            eligible=False,
            refund_amount=Decimal(0),
            refund_method="original_payment",
            explanation=f"There is no order {order_id}.",
        )
    facts = facts_of(order, reason_code, days_since_delivery)
    rule = current().resource(RefundTable).row_for(facts)
    current().decided("refund_rules", rule.name, given=facts.to_json(), when=rule.when())
    return decided_by(rule, order, days_since_delivery)


@agent(version="1.0.0", pool="retrieval")
def cited_rule(status: OrderStatus, reason_code: ReasonCode) -> Citation:
    """Find the section of the refund policy that a refund is decided by."""
    question = _STATUSES.get(status, _REASONS[reason_code])
    policy = current().resource(PolicySearch)
    found = policy.search(question)
    best = next((one for one in found if (one.score or 0.0) >= LEAST_SCORE), None)
    used = [] if best is None else [best.id]
    current().retrieved(SOURCE, found, used=used, query=question, at_least=LEAST_SCORE)
    if not policy.is_current:
        current().doubt("what it searches is not the policy at hand", about="cited_rule")
    if best is None:
        current().doubt(
            "each refund is decided by a section, and it found none", about="cited_rule"
        )
        return Citation(section=None)
    return Citation(section=best.id, text=best.text or "")


@agent(version="3.0.0", agents=[customer_order, refund_eligibility, cited_rule])
async def refund_decision(request: RefundRequest) -> RefundDue | NoRefund | NotFound:
    """Look up the facts that the refund rules ask for, and have the refund decided."""
    order = await customer_order(request.order_id, request.customer)
    if isinstance(order, NotFound):
        return order
    days = days_since_delivery(order, shop_now())
    decision = await refund_eligibility(
        order_id=order.order_id,
        reason_code=request.reason_code,
        days_since_delivery=NOT_DELIVERED if days is None else days,
    )
    counts_days = order.status == "delivered" and days is not None
    cited = await cited_rule(order.status, request.reason_code)
    for limit in _LIMIT.findall(decision.explanation):
        if cited.section is not None and limit not in re.findall(r"\d+", cited.text):
            current().doubt(
                f"the decision speaks of {limit} days, and the section {cited.section!r} does not",
                about=("refund_eligibility", "cited_rule"),
            )
    if not decision.eligible:
        return NoRefund(
            order_id=order.order_id,
            explanation=decision.explanation,
            section=cited.section,
            counts_days=counts_days,
        )
    return RefundDue(
        order_id=order.order_id,
        refund_amount=decision.refund_amount,
        refund_method=decision.refund_method,
        needs_approval=decision.refund_amount > APPROVED_ABOVE,
        explanation=decision.explanation,
        section=cited.section,
        counts_days=counts_days,
    )


@agent(version="1.0.0", tools=[issue_refund])
async def pay_back(due: RefundDue) -> Paid | AskedBefore:
    """Have the payment service give the money back, unless another run has asked for that."""
    try:
        receipt = await issue_refund(due.order_id, due.refund_amount, due.refund_method)
    except FishplateError as error:
        if error.code != "already_done":
            raise
        return AskedBefore()
    return Paid(refund=receipt.refund)


@agent(version="1.0.0", inline=True)
def no_refund(decided: NoRefund | NotFound) -> RefundAnswer | NotFound:
    """Say why no money goes back."""
    if isinstance(decided, NotFound):
        return decided
    return RefundAnswer(
        order_id=decided.order_id,
        outcome="not_due",
        refund_amount=Decimal(0),
        refund_method="original_payment",
        explanation=decided.explanation,
        section=decided.section,
        counts_days=decided.counts_days,
    )


@agent(version="1.0.0", inline=True)
def refund_answer(due: RefundDue, done: Paid | AskedBefore | Rejected) -> RefundAnswer:
    """Say what came of a refund that was due; that nobody agreed is an answer too."""
    match done:
        case Paid():
            outcome = "paid"
        case AskedBefore():
            outcome = "asked_before"
        case Rejected():
            outcome = done.reason
        case _:
            assert_never(done)
    return RefundAnswer(
        order_id=due.order_id,
        outcome=outcome,
        refund_amount=due.refund_amount,
        refund_method=due.refund_method,
        refund=done.refund if isinstance(done, Paid) else None,
        explanation=due.explanation,
        section=due.section,
        counts_days=due.counts_days,
    )


@workflow(version="1.0.0")
async def due_refund(due: RefundDue) -> RefundAnswer:
    """Give money back, after somebody has agreed where it is much."""
    done = await switch(
        (
            True,
            approval(pay_back(due), roles=[SUPPORT_LEAD], within=LEADS_DECIDE_WITHIN),
        ),
        (False, pay_back(due)),
        on=due.needs_approval,
    )
    return await refund_answer(due, done)


@workflow(version="2.0.0")
async def refund(request: RefundRequest) -> RefundAnswer | NotFound:
    """Decide about a refund, make it if it is due, and say what came of it."""
    decided = await refund_decision(request)
    return await route(due_refund, no_refund, on=decided)
