"""The shop as a database: opening, finding, transactions, and who may see an order."""

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from inspect import signature
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.order_support.shop import Shop
from examples.order_support.shop_database import ShopFormatError
from examples.order_support.shop_rules import (
    EmailIdentity,
    GiftCard,
    Identity,
    NameZipIdentity,
    Refused,
)

ADDRESS = ("address1", "address2", "city", "state", "country", "zip")
SWAP = ("item_ids", "new_item_ids", "payment_method_id")
TOOLS: dict[Callable[..., object], tuple[str, ...]] = {
    Shop.find_user_id_by_email: ("email",),
    Shop.find_user_id_by_name_zip: ("first_name", "last_name", "zip"),
    Shop.get_user_details: ("user_id",),
    Shop.get_order_details: ("order_id",),
    Shop.get_product_details: ("product_id",),
    Shop.get_item_details: ("item_id",),
    Shop.list_all_product_types: (),
    Shop.calculate: ("expression",),
    Shop.transfer_to_human_agents: ("summary",),
    Shop.cancel_pending_order: ("order_id", "reason"),
    Shop.modify_pending_order_address: ("order_id", *ADDRESS),
    Shop.modify_pending_order_items: ("order_id", *SWAP),
    Shop.modify_pending_order_payment: ("order_id", "payment_method_id"),
    Shop.modify_user_address: ("user_id", *ADDRESS),
    Shop.return_delivered_order_items: ("order_id", "item_ids", "payment_method_id"),
    Shop.exchange_delivered_order_items: ("order_id", *SWAP),
}

# A pending order of 267.58 that was paid by a gift card, and an order of somebody else.
PAID_BY_GIFT_CARD = "#W3897284"
NOAHS_ORDER = "#W7678072"
NOAH = "noah_brown_6181"


def test_the_sixteen_tools_take_the_parameters_of_the_source() -> None:
    """A tool's parameters have the recorded names, in order."""
    found = {tool: tuple(signature(tool).parameters)[1:] for tool in TOOLS}

    assert len(TOOLS) == 16
    assert found == TOOLS


def test_a_new_database_holds_the_whole_data(database: Path) -> None:
    """1,000 orders, 500 customers and 50 products are loaded."""
    with closing(sqlite3.connect(database)) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("orders", "users", "products")
        ]

    assert counts == [1000, 500, 50]


def test_a_loaded_row_is_the_row_of_the_data(shop: Shop) -> None:
    """Nothing is lost or changed on the way into the database and back."""
    data = Path(__file__).parents[2] / "examples" / "order_support" / "data"
    reads = {
        "orders": shop.get_order_details,
        "users": shop.get_user_details,
        "products": shop.get_product_details,
    }
    for table, read in reads.items():
        rows = json.loads((data / f"{table}.json").read_text(encoding="utf-8"))

        found = {key: read(key).model_dump(mode="json", exclude_none=True) for key in rows}

        assert found == rows


def test_money_is_stored_as_whole_cents(shop: Shop, database: Path) -> None:
    """No stored document holds a fraction, also after a write."""
    shop.cancel_pending_order(PAID_BY_GIFT_CARD, "no longer needed")

    with closing(sqlite3.connect(database)) as connection:
        fractions = [
            connection.execute(
                f"SELECT count(*) FROM {table}, json_tree(document) WHERE type = 'real'"
            ).fetchone()[0]
            for table in ("orders", "users", "products")
        ]
        (cents,) = connection.execute(
            "SELECT json_extract(document, '$.payment_history[1].amount_cents') FROM orders"
            " WHERE order_id = ?",
            [PAID_BY_GIFT_CARD],
        ).fetchone()

    assert fractions == [0, 0, 0]
    assert cents == 26758


def test_opening_again_keeps_what_was_changed(database: Path) -> None:
    """Only a new database is filled."""
    with Shop.open(str(database)) as shop:
        shop.cancel_pending_order(PAID_BY_GIFT_CARD, "no longer needed")

    with Shop.open(str(database)) as shop:
        order = shop.get_order_details(PAID_BY_GIFT_CARD)

    assert order.status == "cancelled"


def test_two_shops_in_memory_share_nothing() -> None:
    """`:memory:` is a fresh shop each time."""
    with Shop.open(":memory:") as one, Shop.open(":memory:") as other:
        one.cancel_pending_order(PAID_BY_GIFT_CARD, "no longer needed")

        assert other.get_order_details(PAID_BY_GIFT_CARD).status == "pending"


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file of something else is named and left alone."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, " * 100, encoding="utf-8")

    with pytest.raises(ShopFormatError, match=r"notes\.txt' is not a database of this shop"):
        Shop.open(str(path))

    assert path.read_text(encoding="utf-8") == "not a database, " * 100


@pytest.mark.parametrize(
    ("statement", "format_found"),
    [("CREATE TABLE letters (text)", "format 0"), ("PRAGMA user_version = 7", "format 7")],
)
def test_a_database_of_another_format_is_refused(
    tmp_path: Path, statement: str, format_found: str
) -> None:
    """Somebody else's tables and a newer format are refused; the message names both formats."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()

    with pytest.raises(ShopFormatError, match=f"{format_found}, and this program reads 1"):
        Shop.open(str(path))


def test_a_damaged_database_is_not_taken_for_a_new_one(database: Path) -> None:
    """A file that begins as a database and is broken inside raises SQLite's own error."""
    healthy = database.read_bytes()
    database.write_bytes(healthy[:100] + b"\xff" * 4000)

    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        Shop.open(str(database))


def test_products_are_listed_by_name(shop: Shop) -> None:
    """The list is a JSON text of all 50 names in order, each with its product id."""
    listed: dict[str, str] = json.loads(shop.list_all_product_types())

    assert list(listed) == sorted(listed)
    assert len(listed) == 50
    assert shop.get_product_details(listed["Water Bottle"]).name == "Water Bottle"


def test_a_person_takes_over(shop: Shop) -> None:
    """A transfer always succeeds."""
    assert shop.transfer_to_human_agents("wants to talk about the weather") == "Transfer successful"


@pytest.mark.parametrize(
    "identity",
    [
        EmailIdentity(email="noah.brown7922@example.com"),
        EmailIdentity(email=" Noah.Brown7922@Example.COM "),
        NameZipIdentity(first_name="Noah", last_name="Brown", zip="80279"),
        NameZipIdentity(first_name="NOAH ", last_name=" brown", zip=" 80279 "),
    ],
)
def test_a_customer_is_found_whatever_the_case(shop: Shop, identity: Identity) -> None:
    """E-mail and names ignore case and blanks around them."""
    customer = shop.customer_of(identity)

    assert customer is not None
    assert customer.user_id == NOAH


@pytest.mark.parametrize(
    "identity",
    [
        EmailIdentity(email="noah.brown7922@example.org"),
        EmailIdentity(email="%"),
        NameZipIdentity(first_name="Noah", last_name="Brown", zip="8027"),
        NameZipIdentity(first_name="Noah", last_name="Browne", zip="80279"),
    ],
)
def test_who_does_not_fit_is_nobody(shop: Shop, identity: Identity) -> None:
    """A nearly right identity finds nobody."""
    assert shop.customer_of(identity) is None


def test_a_customer_who_moved_is_found_by_the_new_zip(shop: Shop) -> None:
    """What customers are found by follows the row."""
    shop.modify_user_address(NOAH, "1 Main St", "", "Reno", "NV", "USA", "89501")

    moved = NameZipIdentity(first_name="Noah", last_name="Brown", zip="89501")
    stayed = moved.model_copy(update={"zip": "80279"})
    found = shop.customer_of(moved)

    assert found is not None
    assert found.user_id == NOAH
    assert shop.customer_of(stayed) is None


@given(
    hash_sign=st.sampled_from(["#", "", " # "]),
    letter=st.sampled_from("Ww"),
    before=st.sampled_from(["", " ", "\n"]),
    after=st.sampled_from(["", " ", "\t"]),
)
def test_an_order_is_found_as_customers_write_its_id(
    memory_shop: Shop, hash_sign: str, letter: str, before: str, after: str
) -> None:
    """A missing `#`, a small letter and blanks around an order id do not matter."""
    typed = f"{before}{hash_sign}{letter}7678072{after}"

    order = memory_shop.order_for(typed, NOAH)

    assert order is not None
    assert order.order_id == NOAHS_ORDER


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(PAID_BY_GIFT_CARD, id="another customer's"),
        pytest.param("#W0000000", id="unknown"),
        pytest.param("my last order", id="no id"),
        pytest.param("", id="empty"),
        pytest.param("W\u0667\u0666\u0667\u0668\u0660\u0667\u0662", id="digits of another script"),
    ],
)
def test_an_order_of_another_customer_is_answered_like_an_unknown_one(
    shop: Shop, typed: str
) -> None:
    """The answer does not tell which orders exist."""
    assert shop.order_for(typed, NOAH) is None


def test_one_order_is_cancelled_once_by_many_threads(shop: Shop) -> None:
    """Of many threads that cancel the same order one succeeds, and the gift card is paid once."""
    before = _gift_card_balance(shop)

    def cancel(_: int) -> str:
        try:
            return shop.cancel_pending_order(PAID_BY_GIFT_CARD, "no longer needed").status
        except Refused as refusal:
            return refusal.message

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(cancel, range(16)))

    assert sorted(answers) == ["Non-pending order cannot be cancelled"] * 15 + ["cancelled"]
    assert _gift_card_balance(shop) == before + 26758


def test_two_shops_on_one_file_take_turns(shop: Shop, database: Path) -> None:
    """What one process changes, another one sees and does not repeat."""
    with Shop.open(str(database)) as other:
        other.cancel_pending_order(PAID_BY_GIFT_CARD, "no longer needed")

    with pytest.raises(Refused, match="Non-pending order cannot be cancelled"):
        shop.cancel_pending_order(PAID_BY_GIFT_CARD, "no longer needed")


@pytest.mark.parametrize("how", ["ABORT", "ROLLBACK"])
def test_a_write_that_fails_half_way_changes_nothing(shop: Shop, database: Path, how: str) -> None:
    """If the order cannot be written, the gift card is not credited, and the shop goes on."""
    before = _gift_card_balance(shop)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            f"CREATE TRIGGER full BEFORE UPDATE ON orders BEGIN SELECT RAISE({how}, 'full'); END"
        )

        with pytest.raises(sqlite3.IntegrityError, match="full"):
            shop.cancel_pending_order(PAID_BY_GIFT_CARD, "no longer needed")

        connection.execute("DROP TRIGGER full")

    assert _gift_card_balance(shop) == before
    assert shop.cancel_pending_order(PAID_BY_GIFT_CARD, "no longer needed").status == "cancelled"


def _gift_card_balance(shop: Shop) -> int:
    """Read the balance of the card that paid the order, in cents."""
    order = shop.get_order_details(PAID_BY_GIFT_CARD)
    customer = shop.get_user_details(order.user_id)
    card = customer.payment_methods[order.payment_history[0].payment_method_id]
    assert isinstance(card, GiftCard)
    return int(card.balance * 100)
