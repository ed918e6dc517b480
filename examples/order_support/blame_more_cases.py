"""The second half of the wrong answers, written after the rules were fitted, and the right ones."""

from dataclasses import replace
from datetime import date
from typing import Final, cast

from examples.order_support.blame_cases import (
    BROKEN,
    CANCELLED,
    CHANGED_MIND,
    EMMA,
    ESTIMATED,
    PENDING,
    REFUSED,
    ROWS,
    STATUS,
    STATUS_KINDLY,
    TOLD,
    TRACKED,
    TRACKING,
    Case,
    asked,
    intent,
)
from examples.order_support.blame_world import Before, SpoiledTable, World, finding, misreading
from examples.order_support.models import CustomerAnswer
from examples.order_support.policy_search import PolicySearch, Section
from examples.order_support.refund_rules import RULES, Days, RefundMethod, RefundTable

PAID: Final = (
    "Order #W6397299 was delivered 4 days ago, within the 60 days for damaged or wrong items: the "
    "full 1800.96 goes back to the original payment method. So says our refund policy, under "
    f'"Damaged and wrong items".{ESTIMATED}'
)

SECOND_HALF: Final = (
    Case(
        name="another customer is found by the e-mail address",
        blame="tool",
        step="find_user_id_by_email",
        query=STATUS,
        world=World(shop=finding("emma_kim_1076")),
        sound=World(),
    ),
    Case(
        name="the carrier is down, and what it said ten minutes ago is told",
        blame="tool",
        step="track_parcel",
        query=TRACKING,
        world=World(before=(Before(asked=TRACKING, seconds=600),), carrier="down"),
        sound=World(before=(Before(asked=TRACKING, seconds=600),)),
    ),
    Case(
        name="the cache is not told that another process changed the order",
        blame="tool",
        step="get_order_details",
        query=PENDING,
        world=World(before=(Before(asked=PENDING), Before(cancelled_outside="#W1654931"))),
        sound=World(before=CANCELLED),
    ),
    Case(
        name="the carrier has delivered a parcel on a day to come",
        blame="tool",
        step="track_parcel",
        query=asked("Where is my parcel? I would like to track order #W6397299."),
        world=World(
            parcels=lambda one: (
                one.model_copy(update={"delivered_on": date(2026, 12, 24)})
                if one.status == "delivered"
                else one
            )
        ),
        sound=World(),
    ),
    Case(
        name="the classifier takes a question about a parcel for a refund",
        blame="reasoning",
        step="intent",
        query=TRACKING,
        world=World(reads=misreading("refund_request", 0.71)),
        sound=World(),
    ),
    Case(
        name="the model takes a question about a day for one of status",
        blame="reasoning",
        step="read_intent",
        query=asked("Which day will the courier deliver order #W2768383?", EMMA),
        world=World(
            model=(
                intent("order_status"),
                "Order #W2768383 is being sent. It holds 1 item for 49.80: LED Light Bulb.",
            )
        ),
        sound=World(
            model=(
                intent("shipping_question"),
                "The carrier says: order #W2768383 is on its way and expected on 2026-11-04.",
            )
        ),
    ),
    Case(
        name="the model takes a broken thing for a question about its parcel",
        blame="reasoning",
        step="read_intent",
        query=BROKEN,
        world=World(
            model=(
                intent("shipping_question"),
                (
                    "The carrier says: order #W6397299 was delivered on 2026-10-28. "
                    "Its last scan was in Phoenix, AZ."
                ),
            )
        ),
        sound=World(model=(intent("refund_request"), "We have sent the full 1800.96.")),
    ),
    Case(
        name="the model's words leave the estimate out of a refund that is paid",
        blame="reasoning",
        step="rewrite",
        query=BROKEN,
        world=World(model=(intent("refund_request"), PAID.removesuffix(ESTIMATED))),
        sound=World(model=(intent("refund_request"), PAID)),
    ),
    Case(
        name="the model's words leave out that the days are an estimate",
        blame="reasoning",
        step="rewrite",
        query=CHANGED_MIND,
        world=World(
            model=(intent("refund_request"), REFUSED.removesuffix(ESTIMATED)),
        ),
        sound=World(model=(intent("refund_request"), REFUSED)),
    ),
    Case(
        name="the model's words leave out where the parcel is",
        blame="reasoning",
        step="rewrite",
        query=TRACKING,
        world=World(
            model=(
                intent("shipping_question"),
                "Thank you for your patience with order #W6231698!",
            )
        ),
        sound=World(model=(intent("shipping_question"), TRACKED)),
    ),
    Case(
        name="the search has an empty index",
        blame="retrieval",
        step="cited_rule",
        query=CHANGED_MIND,
        world=World(search=lambda: PolicySearch([])),
        sound=World(),
    ),
    Case(
        name="the search finds what the policy said last year",
        blame="retrieval",
        step="cited_rule",
        query=CHANGED_MIND,
        world=World(
            search=lambda: PolicySearch(
                [
                    Section(
                        title="Change of mind (2025)",
                        text="If you changed your mind you can return it within 90 days.",
                    )
                ]
            )
        ),
        sound=World(),
    ),
    Case(
        name="the model answers what its contract does not have",
        blame="contract",
        step="read_intent",
        query=STATUS,
        world=World(model=({"label": "status"}, {"label": "status"}, STATUS_KINDLY)),
        sound=TOLD,
    ),
    Case(
        name="the table gives money back in a way that the contract does not have",
        blame="contract",
        step="refund_eligibility",
        query=BROKEN,
        world=World(
            rules=lambda: RefundTable(
                [replace(one, method=cast("RefundMethod", "voucher")) for one in RULES]
            )
        ),
        sound=World(),
    ),
    Case(
        name="the table's row for a change of mind was widened to 60 days",
        blame="policy",
        step="refund_eligibility",
        query=CHANGED_MIND,
        world=World(
            rules=lambda: SpoiledTable(
                replace(ROWS["changed mind, in time, paid by account"], days=Days(first=0, last=60))
            )
        ),
        sound=World(),
    ),
)

RIGHT: Final = (
    Case(name="the status of an order", blame="none", query=STATUS, world=World()),
    Case(
        name="the same again, answered by the cache",
        blame="none",
        query=STATUS,
        world=World(before=(Before(asked=STATUS, seconds=30),)),
    ),
    Case(
        name="an order that the desk has cancelled since it was last asked for",
        blame="none",
        query=PENDING,
        world=World(before=CANCELLED),
    ),
    Case(
        name="the order of another customer, which is not found",
        blame="none",
        query=asked(STATUS.text, EMMA),
        world=World(),
    ),
    Case(name="a refund that is paid", blame="none", query=BROKEN, world=World()),
    Case(name="a refund that is not due", blame="none", query=CHANGED_MIND, world=World()),
    Case(
        name="a large refund less a fee, to which a lead agrees",
        blame="none",
        query=asked("Please refund order W4646940, I changed my mind.", EMMA),
        world=World(),
    ),
    Case(name="a parcel, and the carrier answers", blame="none", query=TRACKING, world=World()),
    Case(
        name="a message that could mean anything, until the customer was asked",
        blame="none",
        query=asked("So much trouble with you this week!", EMMA),
        world=World(answer=CustomerAnswer(text="What is the status of order #W2768383?")),
    ),
    Case(
        name="a model reads the question and words the reply",
        blame="none",
        query=STATUS,
        world=TOLD,
    ),
)
