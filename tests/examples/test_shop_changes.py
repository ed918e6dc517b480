"""What the write tools do to orders, customers and gift cards."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from examples.order_support import shop_changes
from examples.order_support.shop import Shop
from examples.order_support.shop_changes import Change, Swap
from examples.order_support.shop_rules import (
    GiftCard,
    Order,
    Product,
    Refused,
    User,
    paid_per_method,
)

DATA = Path(__file__).parents[2] / "examples" / "order_support" / "data"
ORDERS = TypeAdapter(dict[str, Order]).validate_json((DATA / "orders.json").read_bytes())
USERS = TypeAdapter(dict[str, User]).validate_json((DATA / "users.json").read_bytes())
PRODUCTS = TypeAdapter(dict[str, Product]).validate_json((DATA / "products.json").read_bytes())

PENDING = [order for order in ORDERS.values() if order.status == "pending"]
DELIVERED = [order for order in ORDERS.values() if order.status == "delivered"]

# Two equal garden hoses of 96.35 each, paid by the customer's only credit card.
TWO_HOSES = "#W7208030"
HOSE = "5753502325"


@st.composite
def swaps(draw: st.DrawFn, orders: list[Order]) -> tuple[Order, User, Swap]:
    """Choose an order, some of its lines, other available variants for them, and who pays."""
    order = draw(st.sampled_from(orders))
    customer = USERS[order.user_id]
    products = {line.product_id: PRODUCTS[line.product_id] for line in order.items}
    item_ids: list[str] = []
    new_item_ids: list[str] = []
    for line in draw(st.lists(st.sampled_from(order.items), unique_by=id)):
        variants = products[line.product_id].variants.values()
        others = [each for each in variants if each.available and each.item_id != line.item_id]
        if others:
            item_ids.append(line.item_id)
            new_item_ids.append(draw(st.sampled_from(others)).item_id)
    swap = Swap(
        products=products,
        item_ids=item_ids,
        new_item_ids=new_item_ids,
        payment_method_id=draw(st.sampled_from(sorted(customer.payment_methods))),
    )
    return order, customer, swap


@given(swaps(PENDING))
def test_a_modified_order_adds_up_to_its_payments(case: tuple[Order, User, Swap]) -> None:
    """After any modification the lines' prices are what is paid, and each line is a variant."""
    order, customer, swap = case
    change = _modified(order, customer, swap)
    if change is None:
        return

    items = change.order.items
    assert sum(line.price for line in items) == sum(paid_per_method(change.order).values())
    assert sorted(line.item_id for line in items) == sorted(
        [*_without(order, swap), *swap.new_item_ids]
    )
    for line in items:
        variant = PRODUCTS[line.product_id].variants[line.item_id]
        assert (line.price, line.options) == (variant.price, variant.options)


@given(swaps(PENDING))
def test_a_modification_moves_the_difference_and_nothing_else(
    case: tuple[Order, User, Swap],
) -> None:
    """A gift card loses what the order gains, never falls below 0, and nothing else moves."""
    order, customer, swap = case
    change = _modified(order, customer, swap)
    if change is None:
        return

    gained = _paid(change.order) - _paid(order)
    method = customer.payment_methods[swap.payment_method_id]
    lost = _balances(customer) - _balances(change.customer)
    assert lost == (gained if isinstance(method, GiftCard) else 0)
    assert all(
        each.balance >= 0
        for each in change.customer.payment_methods.values()
        if isinstance(each, GiftCard)
    )
    assert change.customer.model_copy(update={"payment_methods": {}}) == customer.model_copy(
        update={"payment_methods": {}}
    )


@given(order=st.sampled_from(PENDING), data=st.data())
def test_a_cancelled_order_leaves_no_money_in_the_shop(order: Order, data: st.DataObject) -> None:
    """All of the money goes back to the methods that hold it, also after a change of payment."""
    customer = USERS[order.user_id]
    method = data.draw(st.sampled_from(sorted(customer.payment_methods)))
    try:
        paid_by = shop_changes.modify_payment(order, customer, method)
    except Refused:
        paid_by = Change(order=order, customer=customer)
    holder = next(each for each, held in paid_per_method(paid_by.order).items() if held)

    cancelled = shop_changes.cancel(paid_by.order, paid_by.customer, "ordered by mistake")

    refund = cancelled.order.payment_history[-1]
    assert (refund.payment_method_id, refund.amount) == (holder, _paid(order))
    assert set(paid_per_method(cancelled.order).values()) == {Decimal(0)}
    assert len(cancelled.order.payment_history) == len(paid_by.order.payment_history) + 1
    # Only a gift card that paid at first has more now than before; one that took over, as much.
    paid_at_first = order.payment_history[0].payment_method_id
    returned = _paid(order) if paid_at_first.startswith("gift_card") else 0
    assert _balances(cancelled.customer) == _balances(customer) + returned


@given(swaps(DELIVERED))
def test_an_exchange_only_asks(case: tuple[Order, User, Swap]) -> None:
    """Items and payments stay; both lists are sorted; the difference is new minus old."""
    order, customer, swap = case
    try:
        asked = shop_changes.exchange_items(order, customer, swap)
    except Refused as refusal:
        if refusal.message != "Insufficient gift card balance to pay for the price difference":
            raise
        return

    old = sum(_price(item_id) for item_id in swap.item_ids)
    new = sum(_price(item_id) for item_id in swap.new_item_ids)
    assert asked.exchange_price_difference == new - old
    assert asked.exchange_items == tuple(sorted(swap.item_ids))
    assert asked.exchange_new_items == tuple(sorted(swap.new_item_ids))
    assert (asked.items, asked.payment_history) == (order.items, order.payment_history)


@pytest.mark.parametrize("tool", ["modify items", "modify payment", "exchange"])
def test_a_gift_card_pays_its_last_cent_and_not_one_more(tool: str) -> None:
    """A balance of exactly what is due is enough; one cent less is refused."""
    pending, delivered = ORDERS["#W7941031"], ORDERS["#W5866402"]
    watch, machine = pending.items[0], delivered.items[0]
    due = {
        "modify items": _price("4510078629") - watch.price,
        "modify payment": _paid(pending),
        "exchange": _price("7407838442") - machine.price,
    }[tool]

    def pay(balance: Decimal) -> None:
        customer = USERS["olivia_ito_3591"]
        card = GiftCard(source="gift_card", id="gift_card_7794233", balance=balance)
        methods = {**customer.payment_methods, card.id: card}
        customer = customer.model_copy(update={"payment_methods": methods})
        if tool == "modify payment":
            shop_changes.modify_payment(pending, customer, card.id)
        elif tool == "modify items":
            swap = _swap(watch.item_id, "4510078629", card.id)
            shop_changes.modify_items(pending, customer, swap)
        else:
            swap = _swap(machine.item_id, "7407838442", card.id)
            shop_changes.exchange_items(delivered, customer, swap)

    pay(due)
    with pytest.raises(Refused, match="Insufficient gift card balance"):
        pay(due - Decimal("0.01"))


def test_each_modified_line_gets_its_own_new_item(shop: Shop) -> None:
    """Two equal lines become two different ones, each with its own price and options."""
    cheaper, dearer = _two_other_hoses()

    order = shop.modify_pending_order_items(
        TWO_HOSES, [HOSE, HOSE], [cheaper, dearer], "credit_card_5809636"
    )

    assert [line.item_id for line in order.items] == [cheaper, dearer]
    assert [line.price for line in order.items] == [_price(cheaper), _price(dearer)]


def test_one_item_may_become_what_another_one_was() -> None:
    """Lines are matched as they stood before the call, so a chain of swaps does not run through."""
    first, second = ORDERS["#W7941031"].items
    watches = PRODUCTS[first.product_id].variants
    third = next(each for each in watches.values() if each.available)
    line = second.model_copy(
        update={"product_id": first.product_id, "item_id": third.item_id, "price": third.price}
    )
    order = ORDERS["#W7941031"].model_copy(update={"items": (first, line)})
    fourth = next(
        each.item_id
        for each in watches.values()
        if each.available and each.item_id not in {first.item_id, third.item_id}
    )
    swap = Swap(
        products={first.product_id: PRODUCTS[first.product_id]},
        item_ids=[first.item_id, third.item_id],
        new_item_ids=[third.item_id, fourth],
        payment_method_id="paypal_8049766",
    )

    change = shop_changes.modify_items(order, USERS[order.user_id], swap)

    assert [line.item_id for line in change.order.items] == [third.item_id, fourth]


def test_a_swap_without_a_difference_is_a_refund_of_nothing(shop: Shop) -> None:
    """A difference of 0, here of no items at all, is written as a refund of 0."""
    order = shop.modify_pending_order_items(TWO_HOSES, [], [], "credit_card_5809636")

    last = order.payment_history[-1]
    assert (last.transaction_type, last.amount) == ("refund", Decimal(0))
    assert order.status == "pending (item modified)"


def test_a_new_payment_goes_before_the_refund_of_the_old(shop: Shop) -> None:
    """The history tells payment, payment, refund; the status stays; the gift card pays at once."""
    order = next(
        order
        for order in PENDING
        if _paid(order) <= _largest_balance(USERS[order.user_id])
        and not order.payment_history[0].payment_method_id.startswith("gift_card")
    )
    card = _largest_gift_card(USERS[order.user_id])
    paid = order.payment_history[0]

    changed = shop.modify_pending_order_payment(order.order_id, card.id)

    history = [(each.transaction_type, each.payment_method_id) for each in changed.payment_history]
    assert history == [
        ("payment", paid.payment_method_id),
        ("payment", card.id),
        ("refund", paid.payment_method_id),
    ]
    assert {each.amount for each in changed.payment_history} == {paid.amount}
    assert changed.status == "pending"
    left = shop.get_user_details(order.user_id).payment_methods[card.id]
    assert isinstance(left, GiftCard)
    assert left.balance == card.balance - paid.amount


def test_a_return_moves_no_money(shop: Shop) -> None:
    """A requested return lists its items sorted; payments and balances stay."""
    order = next(order for order in DELIVERED if len(order.items) > 2)
    item_ids = sorted((line.item_id for line in order.items), reverse=True)
    method = order.payment_history[0].payment_method_id
    before = shop.get_user_details(order.user_id)

    asked = shop.return_delivered_order_items(order.order_id, item_ids, method)

    assert asked.status == "return requested"
    assert asked.return_items == tuple(sorted(item_ids))
    assert asked.return_payment_method_id == method
    assert asked.payment_history == order.payment_history
    assert shop.get_user_details(order.user_id) == before


@pytest.mark.parametrize("same", [True, False], ids=["same item", "no item"])
def test_an_exchange_for_nothing_else_is_let_through(shop: Shop, same: bool) -> None:
    """An exchange of an item for itself and one of no item are the application's to refuse."""
    order = next(
        order
        for order in DELIVERED
        if PRODUCTS[order.items[0].product_id].variants[order.items[0].item_id].available
    )
    item_ids = [order.items[0].item_id] if same else []
    method = order.payment_history[0].payment_method_id

    asked = shop.exchange_delivered_order_items(order.order_id, item_ids, item_ids, method)

    assert asked.status == "exchange requested"
    assert asked.exchange_price_difference == 0


def test_a_customers_new_address_leaves_the_orders_theirs(shop: Shop) -> None:
    """Moving changes the default address alone."""
    customer = USERS["olivia_ito_3591"]

    moved = shop.modify_user_address(
        customer.user_id, "1 Main St", "", "Reno", "NV", "USA", "89501"
    )

    assert moved.address.zip == "89501"
    assert shop.get_user_details(customer.user_id) == moved
    for order_id in customer.orders:
        assert shop.get_order_details(order_id) == ORDERS[order_id]


def _modified(order: Order, customer: User, swap: Swap) -> Change | None:
    """Modify the items, or give None where the gift card does not cover the difference."""
    try:
        return shop_changes.modify_items(order, customer, swap)
    except Refused as refusal:
        if refusal.message != "Insufficient gift card balance to pay for the new item":
            raise
        return None


def _swap(item_id: str, new_item_id: str, payment_method_id: str) -> Swap:
    return Swap(
        products=PRODUCTS,
        item_ids=[item_id],
        new_item_ids=[new_item_id],
        payment_method_id=payment_method_id,
    )


def _without(order: Order, swap: Swap) -> list[str]:
    left = [line.item_id for line in order.items]
    for item_id in swap.item_ids:
        left.remove(item_id)
    return left


def _paid(order: Order) -> Decimal:
    return sum(paid_per_method(order).values(), start=Decimal(0))


def _gift_cards(customer: User) -> list[GiftCard]:
    return [each for each in customer.payment_methods.values() if isinstance(each, GiftCard)]


def _balances(customer: User) -> Decimal:
    return sum((card.balance for card in _gift_cards(customer)), start=Decimal(0))


def _largest_balance(customer: User) -> Decimal:
    return max((card.balance for card in _gift_cards(customer)), default=Decimal(0))


def _largest_gift_card(customer: User) -> GiftCard:
    return max(_gift_cards(customer), key=lambda card: card.balance)


def _price(item_id: str) -> Decimal:
    return next(
        product.variants[item_id].price
        for product in PRODUCTS.values()
        if item_id in product.variants
    )


def _two_other_hoses() -> tuple[str, str]:
    product = PRODUCTS[ORDERS[TWO_HOSES].items[0].product_id]
    others = sorted(
        (each for each in product.variants.values() if each.available and each.item_id != HOSE),
        key=lambda each: each.price,
    )
    return others[0].item_id, others[-1].item_id
