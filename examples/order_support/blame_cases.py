"""Questions that are answered wrong, each because of one spoiled part: the first half of them.

They were written before the rules of `fishplate.traces.explain`, which were fitted to them; the
second half, afterwards, stands in `blame_more_cases`. Nothing in a run tells which part is spoiled.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from examples.order_support.blame_world import (
    Before,
    SpoiledSearch,
    SpoiledTable,
    World,
    giving,
    misreading,
)
from examples.order_support.models import Query
from examples.order_support.policy_search import PolicySearch, read_sections
from examples.order_support.refund_rules import RULES
from examples.order_support.shop import Shop
from examples.order_support.shop_rules import EmailIdentity, Identity, NameZipIdentity, Order
from fishplate.core.current import Passage
from fishplate.core.errors import JsonValue
from fishplate.traces.findings import Verdict

LIAM: Final = EmailIdentity(email="liam.thomas9081@example.com")
EMMA: Final = NameZipIdentity(first_name="Emma", last_name="Kim", zip="46214")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One question.

    Attributes:
        name: What is spoiled, or what there is to see.
        blame: Whose fault the answer is; `none` if it is right.
        step: Name of the agent or tool that went wrong; empty if none did.
        world: In which the question is asked.
        sound: The same with nothing spoiled, in which the answer is another; `None` if this one is.
    """

    name: str
    blame: Verdict
    step: str = ""
    query: Query
    world: World
    sound: World | None = None


def asked(text: str, customer: Identity | None = LIAM) -> Query:
    """What a customer asks in the chat."""
    return Query(text=text, customer=customer)


STATUS: Final = asked("What is the status of my order #W6231698?")
PENDING: Final = asked("What is the status of order #W1654931 now?")
BROKEN: Final = asked("Part of order #W6397299 arrived broken. I want my money back.")
CHANGED_MIND: Final = asked("I changed my mind about order #W8488728 and want a refund.")
FEE_KEPT: Final = asked("Please refund order W4646940, I changed my mind.", EMMA)
TRACKING: Final = asked("Where is my parcel? I would like to track order #W6231698.")

ROWS: Final = {rule.name: rule for rule in RULES}


def _with_other_lines(shop: Shop, order_id: str) -> Order:
    """The order with the lines of another."""
    lines = shop.get_order_details("#W3295833").items
    return shop.get_order_details(order_id).model_copy(update={"items": lines})


def _unheard_of(shop: Shop, order_id: str) -> Order:
    """A row as a later version of the shop might write it."""
    row = shop.get_order_details(order_id).model_dump(exclude_none=True)
    return Order.model_validate({**row, "status": "shipped"})


def _always(title: str, score: float) -> Callable[[], PolicySearch]:
    """Makes a search that finds one section, whatever is asked."""

    def make() -> PolicySearch:
        [text] = [one.text for one in read_sections() if one.title == title]
        return SpoiledSearch(lambda _: (Passage(id=title, score=score, text=text),))

    return make


def intent(label: str) -> dict[str, JsonValue]:
    """What a model answers that is certain of an intent."""
    return {"label": label, "is_certain": True}


STATUS_KINDLY: Final = (
    "Thank you for asking! Order #W6231698 is being sent. It holds 3 items for 920.26: "
    "Mechanical Keyboard, Dumbbell Set, Running Shoes."
)
TOLD: Final = World(model=(intent("order_status"), STATUS_KINDLY))
REFUSED: Final = (
    "Order #W8488728 was delivered 44 days ago. An order that is no longer wanted can be returned "
    'within 30 days of delivery. So says our refund policy, under "Change of mind". We count the '
    "days by our own estimate of the delivery."
)
ESTIMATED: Final = " We count the days by our own estimate of the delivery."
UNSENT_RULE: Final = 'So says our refund policy, under "Orders that are pending or being sent".'
TRACKED: Final = (
    "The carrier says: order #W6231698 is on its way and expected on 2026-11-05. "
    "Its last scan was in Ontario, CA."
)

_FEE_KEPT: Final = (
    "Order #W4646940 was delivered {} days ago, within {} days but after more than 14: 2519.60, "
    "the price less a restocking fee of 279.95, goes back to the gift card as store credit. So "
    'says our refund policy, under "Change of mind". We count the days by our own estimate of the '
    "delivery."
)
KEPT: Final = _FEE_KEPT.format("20", "30")
EXCHANGED: Final = _FEE_KEPT.format("30", "20")

CANCELLED: Final = (Before(asked=PENDING), Before(cancelled="#W1654931"))
_CANCELLED_UNSEEN: Final = (Before(asked=PENDING), Before(cancelled_elsewhere="#W1654931"))

_ARRIVED: Final = {"status": "delivered", "eta": None, "delivered_on": date(2026, 10, 30)}

FIRST_HALF: Final = (
    Case(
        name="the shop gives another order of the customer",
        blame="tool",
        step="get_order_details",
        query=STATUS,
        world=World(shop=giving(lambda shop, _: shop.get_order_details("#W3295833"))),
        sound=World(),
    ),
    Case(
        name="the shop gives the order with the lines of another",
        blame="tool",
        step="get_order_details",
        query=STATUS,
        world=World(shop=giving(_with_other_lines)),
        sound=World(),
    ),
    Case(
        name="the cache is not told that the order was cancelled",
        blame="tool",
        step="get_order_details",
        query=PENDING,
        world=World(before=_CANCELLED_UNSEEN),
        sound=World(before=CANCELLED),
    ),
    Case(
        name="the carrier takes a parcel on its way for delivered",
        blame="tool",
        step="track_parcel",
        query=TRACKING,
        world=World(
            parcels=lambda one: (
                one.model_copy(
                    update={"status": "delivered", "eta": None, "delivered_on": date(2026, 10, 30)}
                )
                if one.status == "in_transit"
                else one
            )
        ),
        sound=World(),
    ),
    Case(
        name="the classifier takes a refund for a question of status",
        blame="reasoning",
        step="intent",
        query=BROKEN,
        world=World(reads=misreading("order_status", 0.83)),
        sound=World(),
    ),
    Case(
        name="the model takes a refund for a question of status",
        blame="reasoning",
        step="read_intent",
        query=CHANGED_MIND,
        world=World(
            model=(intent("order_status"), "Order #W8488728 was delivered. It holds 1 item.")
        ),
        sound=World(model=(intent("refund_request"), REFUSED)),
    ),
    Case(
        name="the model's words leave the answer out",
        blame="reasoning",
        step="rewrite",
        query=STATUS,
        world=World(
            model=(intent("order_status"), "Thank you for your patience with order #W6231698!")
        ),
        sound=TOLD,
    ),
    Case(
        name="the model's words exchange two numbers",
        blame="reasoning",
        step="rewrite",
        query=FEE_KEPT,
        world=World(model=(intent("refund_request"), EXCHANGED)),
        sound=World(model=(intent("refund_request"), KEPT)),
    ),
    Case(
        name="the model takes a question about a parcel for one of status",
        blame="reasoning",
        step="read_intent",
        query=TRACKING,
        world=World(model=(intent("order_status"), "Order #W6231698 is being sent.")),
        sound=World(model=(intent("shipping_question"), TRACKED)),
    ),
    Case(
        name="the search has lost its weights",
        blame="retrieval",
        step="cited_rule",
        query=CHANGED_MIND,
        world=World(
            search=lambda: SpoiledSearch(
                lambda found: tuple(replace(one, score=0.08) for one in found)
            )
        ),
        sound=World(),
    ),
    Case(
        name="the search finds the section about delivery times",
        blame="retrieval",
        step="cited_rule",
        query=CHANGED_MIND,
        world=World(search=_always("Delivery times", 0.91)),
        sound=World(),
    ),
    Case(
        name="the carrier answers what is no JSON",
        blame="contract",
        step="track_parcel",
        query=TRACKING,
        world=World(carrier="garbage"),
        sound=World(),
    ),
    Case(
        name="the shop has a status that nobody knows",
        blame="contract",
        step="get_order_details",
        query=STATUS,
        world=World(shop=giving(_unheard_of)),
        sound=World(),
    ),
    Case(
        name="a change of mind is decided by the row for damage",
        blame="policy",
        step="refund_eligibility",
        query=CHANGED_MIND,
        world=World(rules=lambda: SpoiledTable(ROWS["our fault, in time, paid by account"])),
        sound=World(),
    ),
    Case(
        name="44 days are decided by the row for 15 to 30",
        blame="policy",
        step="refund_eligibility",
        query=CHANGED_MIND,
        world=World(
            rules=lambda: SpoiledTable(ROWS["changed mind, with restocking fee, paid by account"])
        ),
        sound=World(),
    ),
)
