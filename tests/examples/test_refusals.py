"""Every refusal of the shop, in the words of the source and in the order of its checks."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.order_support.shop import Shop
from examples.order_support.shop_rules import Refused

# One customer, one gift card of 56.00. The pending order (a wristwatch and a backpack) was paid by
# credit card, the delivered one (an espresso machine and sneakers) by PayPal.
PENDING = "#W7941031"
DELIVERED = "#W5866402"
CREDIT_CARD = "credit_card_9753331"
PAYPAL = "paypal_8049766"
GIFT_CARD = "gift_card_7794233"
NOBODYS_CARD = "credit_card_0000000"

WATCH, BACKPACK = "1355937109", "5917587651"
WATCH_SOLD_OUT, WATCH_DEARER = "9112290483", "4510078629"
MACHINE, SNEAKERS = "6242772310", "9727387530"
MACHINE_SOLD_OUT, MACHINE_DEARER = "6324294385", "7407838442"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """A call that breaks one rule and, where it can, each rule that is checked after it."""

    tool: str
    arguments: tuple[str | Sequence[str], ...]
    refusal: str


def _ladder(
    tool: str, rungs: Mapping[str, Sequence[tuple[str | Sequence[str], ...]]]
) -> list[Rung]:
    return [
        Rung(tool=tool, arguments=arguments, refusal=refusal)
        for refusal, calls in rungs.items()
        for arguments in calls
    ]


SOMEWHERE = ("1 Main St", "", "Reno", "NV", "USA", "89501")

RUNGS = [
    *_ladder("find_user_id_by_email", {"User not found": [("olivia@nowhere.example",), ("",)]}),
    *_ladder("find_user_id_by_name_zip", {"User not found": [("Olivia", "Ito", "00000")]}),
    *_ladder("get_user_details", {"User not found": [("olivia_ito",), ("OLIVIA_ITO_3591",)]}),
    *_ladder("get_order_details", {"Order not found": [("W7941031",), ("#w7941031",)]}),
    *_ladder("get_product_details", {"Product not found": [(WATCH,)]}),
    *_ladder("get_item_details", {"Item not found": [("6679515468",)]}),
    *_ladder("modify_user_address", {"User not found": [("olivia_ito", *SOMEWHERE)]}),
    *_ladder(
        "calculate",
        {
            "Invalid characters in expression": [("2 ^ 3",), ("1e3",), ("a",), ("1\t+1",)],
            "Expression is longer than 300 characters": [("(" * 301,)],
            "Invalid expression": [("2 ** 3",), ("7 // 2",), ("1 2",), ("",), ("(1",), ("1.2.",)],
            "Division by zero in expression": [("1 / (2 - 2)",), ("1 / 0.0",)],
        },
    ),
    *_ladder(
        "cancel_pending_order",
        {
            "Order not found": [("#W0000000", "too dear")],
            "Non-pending order cannot be cancelled": [(DELIVERED, "too dear")],
            "Invalid reason": [(PENDING, "too dear"), (PENDING, "No longer needed"), (PENDING, "")],
        },
    ),
    *_ladder(
        "modify_pending_order_address",
        {
            "Order not found": [("#W0000000", *SOMEWHERE)],
            "Non-pending order cannot be modified": [(DELIVERED, *SOMEWHERE)],
        },
    ),
    *_ladder(
        "modify_pending_order_items",
        {
            "Order not found": [("#W0000000", [MACHINE], [], NOBODYS_CARD)],
            "Non-pending order cannot be modified": [(DELIVERED, [WATCH], [], NOBODYS_CARD)],
            f"{MACHINE} not found": [(PENDING, [WATCH, MACHINE], [WATCH], NOBODYS_CARD)],
            f"{WATCH} not found": [(PENDING, [WATCH, WATCH], [WATCH], NOBODYS_CARD)],
            "The number of items to be exchanged should match": [
                (PENDING, [WATCH, BACKPACK], [WATCH], NOBODYS_CARD),
                (PENDING, [], [WATCH], NOBODYS_CARD),
            ],
            "The new item id should be different from the old item id": [
                (PENDING, [WATCH, BACKPACK], [WATCH, WATCH], NOBODYS_CARD),
            ],
            "Variant not found": [(PENDING, [WATCH, BACKPACK], [BACKPACK, BACKPACK], NOBODYS_CARD)],
            f"New item {WATCH_SOLD_OUT} not found or available": [
                (PENDING, [WATCH, BACKPACK], [WATCH_SOLD_OUT, BACKPACK], NOBODYS_CARD),
            ],
            "Payment method not found": [(PENDING, [WATCH], [WATCH_DEARER], NOBODYS_CARD)],
            "Insufficient gift card balance to pay for the new item": [
                (PENDING, [WATCH], [WATCH_DEARER], GIFT_CARD),
            ],
        },
    ),
    *_ladder(
        "modify_pending_order_payment",
        {
            "Order not found": [("#W0000000", NOBODYS_CARD)],
            "Non-pending order cannot be modified": [(DELIVERED, NOBODYS_CARD)],
            "Payment method not found": [(PENDING, NOBODYS_CARD)],
            "The new payment method should be different from the current one": [
                (PENDING, CREDIT_CARD),
            ],
            "Insufficient gift card balance to pay for the order": [(PENDING, GIFT_CARD)],
        },
    ),
    *_ladder(
        "return_delivered_order_items",
        {
            "Order not found": [("#W0000000", [WATCH], NOBODYS_CARD)],
            "Non-delivered order cannot be returned": [(PENDING, [MACHINE], NOBODYS_CARD)],
            "Payment method not found": [(DELIVERED, [WATCH], NOBODYS_CARD)],
            "Payment method should be the original payment method": [
                (DELIVERED, [WATCH], CREDIT_CARD),
            ],
            "Some item not found": [
                (DELIVERED, [MACHINE, WATCH], PAYPAL),
                (DELIVERED, [MACHINE, MACHINE], GIFT_CARD),
            ],
        },
    ),
    *_ladder(
        "exchange_delivered_order_items",
        {
            "Order not found": [("#W0000000", [WATCH], [], NOBODYS_CARD)],
            "Non-delivered order cannot be exchanged": [(PENDING, [MACHINE], [], NOBODYS_CARD)],
            f"Number of {WATCH} not found.": [(DELIVERED, [MACHINE, WATCH], [], NOBODYS_CARD)],
            f"Number of {MACHINE} not found.": [(DELIVERED, [MACHINE] * 2, [], NOBODYS_CARD)],
            "The number of items to be exchanged should match.": [
                (DELIVERED, [MACHINE, SNEAKERS], [WATCH], NOBODYS_CARD),
            ],
            "Variant not found": [
                (DELIVERED, [MACHINE, SNEAKERS], [WATCH, MACHINE_SOLD_OUT], NOBODYS_CARD),
            ],
            f"New item {MACHINE_SOLD_OUT} not found or available": [
                (DELIVERED, [MACHINE, SNEAKERS], [MACHINE_SOLD_OUT, WATCH], NOBODYS_CARD),
            ],
            "Payment method not found": [(DELIVERED, [MACHINE], [MACHINE_DEARER], NOBODYS_CARD)],
            "Insufficient gift card balance to pay for the price difference": [
                (DELIVERED, [MACHINE], [MACHINE_DEARER], GIFT_CARD),
            ],
        },
    ),
]


@pytest.mark.parametrize(
    "rung", RUNGS, ids=[f"{number}-{rung.tool}" for number, rung in enumerate(RUNGS)]
)
def test_the_first_broken_rule_is_the_refusal(rung: Rung, shop: Shop, database: Path) -> None:
    """A call that breaks several rules is refused for the first, and no row changes."""
    before = _dump(database)

    with pytest.raises(Refused) as refused:
        getattr(shop, rung.tool)(*rung.arguments)

    assert refused.value.message == str(refused.value) == rung.refusal
    assert _dump(database) == before


def test_items_are_modified_only_once(shop: Shop) -> None:
    """After a modification the order takes no second one and no cancellation."""
    shop.modify_pending_order_items(PENDING, [WATCH], [WATCH_DEARER], PAYPAL)

    with pytest.raises(Refused, match=r"^Non-pending order cannot be modified$"):
        shop.modify_pending_order_items(PENDING, [WATCH_DEARER], [WATCH], PAYPAL)
    with pytest.raises(Refused, match=r"^Non-pending order cannot be cancelled$"):
        shop.cancel_pending_order(PENDING, "no longer needed")


def test_a_modified_order_still_takes_another_address(shop: Shop) -> None:
    """The address may change after the items did."""
    shop.modify_pending_order_items(PENDING, [WATCH], [WATCH_DEARER], PAYPAL)

    order = shop.modify_pending_order_address(PENDING, *SOMEWHERE)

    assert order.address.city == "Reno"
    assert order.status == "pending (item modified)"


@pytest.mark.parametrize("method", [CREDIT_CARD, GIFT_CARD])
def test_payment_is_not_modified_after_the_items(shop: Shop, method: str) -> None:
    """Two payments are refused before the same method or a small gift card is."""
    shop.modify_pending_order_items(PENDING, [WATCH], [WATCH_DEARER], PAYPAL)

    with pytest.raises(Refused, match=r"^There should be exactly one payment for a pending order$"):
        shop.modify_pending_order_payment(PENDING, method)


def test_payment_is_modified_only_once(shop: Shop) -> None:
    """A payment that was changed cannot be changed back."""
    shop.modify_pending_order_payment(PENDING, PAYPAL)

    with pytest.raises(Refused, match=r"^There should be exactly one payment for a pending order$"):
        shop.modify_pending_order_payment(PENDING, CREDIT_CARD)


@pytest.mark.parametrize("tool", ["return", "exchange"])
def test_an_order_is_returned_or_exchanged_only_once(shop: Shop, tool: str) -> None:
    """A requested return or exchange excludes every further one."""
    if tool == "return":
        shop.return_delivered_order_items(DELIVERED, [MACHINE], PAYPAL)
    else:
        shop.exchange_delivered_order_items(DELIVERED, [MACHINE], [MACHINE_DEARER], PAYPAL)

    with pytest.raises(Refused, match=r"^Non-delivered order cannot be returned$"):
        shop.return_delivered_order_items(DELIVERED, [SNEAKERS], PAYPAL)
    with pytest.raises(Refused, match=r"^Non-delivered order cannot be exchanged$"):
        shop.exchange_delivered_order_items(DELIVERED, [SNEAKERS], [SNEAKERS], PAYPAL)


def _dump(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())
