"""The judge of replies finds each kind of invention, so that its silence means something."""

import pytest

from examples.order_support.shop import Shop
from tests.examples.reply_facts import Facts
from tests.examples.stage import LIAM, LIAMS_PENDING, LIAMS_PROCESSED, NOON


def _facts(shop: Shop) -> Facts:
    liam = shop.customer_of(LIAM)
    assert liam is not None
    return Facts(orders={each: shop.get_order_details(each) for each in liam.orders}, now=NOON)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"Order {LIAMS_PROCESSED} is being sent. It holds 3 items for 920.26: Running Shoes.",
        f"The carrier says: order {LIAMS_PROCESSED} is on its way and expected on 2026-11-05.",
        f"Order {LIAMS_PENDING} has not been sent yet. It can still be cancelled.",
        "Order #W6397299 was delivered 4 days ago: the full 1800.96 goes back.",
        f"Your order {LIAMS_PENDING}",
    ],
)
def test_what_the_rows_say_is_let_through(memory_shop: Shop, text: str) -> None:
    """A reply that keeps to the customer's rows is not found wrong."""
    assert _facts(memory_shop).wrong(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "We know of order #W2378156.",
        "We know of order W6231698.",
        "It holds 3 items for 920.27.",
        "It arrives on 2026-11-09.",
        f"Order {LIAMS_PENDING} was cancelled.",
        f"Order {LIAMS_PENDING} was delivered on 2026-11-05.",
        "Order #W6397299 was delivered 5 days ago.",
        f"Order {LIAMS_PROCESSED} went missing.",
    ],
)
def test_an_invention_is_found(memory_shop: Shop, text: str) -> None:
    """A strange id, amount, day, status or count, and a sentence that nobody knows, is found."""
    assert _facts(memory_shop).wrong(text) != []
