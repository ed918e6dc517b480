"""The shop: its sixteen support tools over an SQLite database.

Names, arguments, refusals and rules are those of the retail domain of tau2-bench (see
`data/README.md`). What no tool checks is the caller's to see to: that the customer is identified,
owns the order, and said yes to the change.
"""

import json
import re
from collections.abc import Sequence
from typing import Self, TypeVar

from examples.order_support import calculator, shop_changes
from examples.order_support.shop_changes import Change, Swap
from examples.order_support.shop_database import ShopDatabase
from examples.order_support.shop_rules import (
    Address,
    EmailIdentity,
    Identity,
    Order,
    Product,
    Refused,
    User,
    Variant,
)

_Value = TypeVar("_Value")

_TYPED_ORDER_ID = re.compile(r"\s*#?\s*(W[0-9]+)\s*", re.IGNORECASE)


class Shop:
    """The tools, and the reads that an agent needs beside them.

    Every method is synchronous and may be called from any thread; a write is one transaction, and
    a refused one changes nothing. Works as a context manager.
    """

    def __init__(self, database: ShopDatabase) -> None:
        self._database = database

    @classmethod
    def open(cls, path: str) -> "Shop":
        """Open the database at `path`, or `:memory:`; fill it with the shop's data if it is new.

        Raises:
            ShopFormatError: The file holds something else.
        """
        return cls(ShopDatabase.open(path))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading.

    def find_user_id_by_email(self, email: str) -> str:
        """Find a customer by e-mail address, whatever its case.

        Raises:
            Refused: `User not found`.
        """
        return _found("User", self._database.user_id_by_email(email))

    def find_user_id_by_name_zip(self, first_name: str, last_name: str, zip: str) -> str:  # noqa: A002 -- the tool's own parameter
        """Find a customer by name, whatever its case, and exact zip code.

        Raises:
            Refused: `User not found`.
        """
        return _found("User", self._database.user_id_by_name_and_zip(first_name, last_name, zip))

    def get_user_details(self, user_id: str) -> User:
        """Read a customer's row.

        Raises:
            Refused: `User not found`.
        """
        return User.model_validate(_found("User", self._database.get("users", user_id)))

    def get_order_details(self, order_id: str) -> Order:
        """Read an order, whoever's it is; the id is exact, with its `#`.

        Raises:
            Refused: `Order not found`.
        """
        return Order.model_validate(_found("Order", self._database.get("orders", order_id)))

    def get_product_details(self, product_id: str) -> Product:
        """Read a product with all its variants.

        Raises:
            Refused: `Product not found`, also for an item id.
        """
        return Product.model_validate(_found("Product", self._database.get("products", product_id)))

    def get_item_details(self, item_id: str) -> Variant:
        """Read one variant of a product.

        Raises:
            Refused: `Item not found`, also for a product id.
        """
        return Variant.model_validate(_found("Item", self._database.variant(item_id)))

    def list_all_product_types(self) -> str:
        """List all products: a JSON text that maps name to product id, sorted by name."""
        return json.dumps(self._database.product_ids_by_name())

    def calculate(self, expression: str) -> str:
        """Work out a line of arithmetic: `2 + 2` gives `4.0`.

        Raises:
            Refused: See `calculator.calculate`.
        """
        return calculator.calculate(expression)

    def transfer_to_human_agents(self, summary: str) -> str:  # noqa: ARG002 -- the tool's own parameter; the shop's data has no desk to hand it to
        """Hand the customer over to a person, who is told the summary."""
        return "Transfer successful"

    # Changing: each method gives the row as it is afterwards.

    def cancel_pending_order(self, order_id: str, reason: str) -> Order:
        """Cancel a pending order; a gift card has its money back at once.

        Args:
            order_id: Exact, with its `#`.
            reason: `no longer needed` or `ordered by mistake`.

        Raises:
            Refused: `Order not found`, and what `shop_changes.cancel` refuses.
        """
        with self._database.change():
            order, customer = self._order_and_customer(order_id)
            return self._keep(shop_changes.cancel(order, customer, reason))

    def modify_pending_order_address(  # noqa: PLR0913, PLR0917 -- the tool's own parameters
        self,
        order_id: str,
        address1: str,
        address2: str,
        city: str,
        state: str,
        country: str,
        zip: str,  # noqa: A002 -- the tool's own parameter
    ) -> Order:
        """Send a pending order elsewhere.

        Raises:
            Refused: `Order not found`, and what `shop_changes.modify_address` refuses.
        """
        address = Address(
            address1=address1, address2=address2, city=city, state=state, country=country, zip=zip
        )
        with self._database.change():
            order = self.get_order_details(order_id)
            return self._keep_order(shop_changes.modify_address(order, address))

    def modify_pending_order_items(
        self,
        order_id: str,
        item_ids: Sequence[str],
        new_item_ids: Sequence[str],
        payment_method_id: str,
    ) -> Order:
        """Replace items of a pending order, pair by pair; once in an order's life.

        Raises:
            Refused: `Order not found`, and what `shop_changes.modify_items` refuses.
        """
        with self._database.change():
            order, customer = self._order_and_customer(order_id)
            swap = self._swap(order, item_ids, new_item_ids, payment_method_id)
            return self._keep(shop_changes.modify_items(order, customer, swap))

    def modify_pending_order_payment(self, order_id: str, payment_method_id: str) -> Order:
        """Pay a pending order by another method; once in an order's life.

        Raises:
            Refused: `Order not found`, and what `shop_changes.modify_payment` refuses.
        """
        with self._database.change():
            order, customer = self._order_and_customer(order_id)
            return self._keep(shop_changes.modify_payment(order, customer, payment_method_id))

    def modify_user_address(  # noqa: PLR0913, PLR0917 -- the tool's own parameters
        self,
        user_id: str,
        address1: str,
        address2: str,
        city: str,
        state: str,
        country: str,
        zip: str,  # noqa: A002 -- the tool's own parameter
    ) -> User:
        """Replace a customer's default address; orders keep theirs.

        Raises:
            Refused: `User not found`.
        """
        address = Address(
            address1=address1, address2=address2, city=city, state=state, country=country, zip=zip
        )
        with self._database.change():
            customer = self.get_user_details(user_id)
            return self._keep_customer(customer.model_copy(update={"address": address}))

    def return_delivered_order_items(
        self, order_id: str, item_ids: Sequence[str], payment_method_id: str
    ) -> Order:
        """Ask for the return of delivered items.

        Raises:
            Refused: `Order not found`, and what `shop_changes.return_items` refuses.
        """
        with self._database.change():
            order, customer = self._order_and_customer(order_id)
            return self._keep_order(
                shop_changes.return_items(order, customer, item_ids, payment_method_id)
            )

    def exchange_delivered_order_items(
        self,
        order_id: str,
        item_ids: Sequence[str],
        new_item_ids: Sequence[str],
        payment_method_id: str,
    ) -> Order:
        """Ask for the exchange of delivered items.

        Raises:
            Refused: `Order not found`, and what `shop_changes.exchange_items` refuses.
        """
        with self._database.change():
            order, customer = self._order_and_customer(order_id)
            swap = self._swap(order, item_ids, new_item_ids, payment_method_id)
            return self._keep_order(shop_changes.exchange_items(order, customer, swap))

    # What an agent asks before it uses a tool.

    def customer_of(self, identity: Identity) -> User | None:
        """Find who speaks; None if nobody fits. Blanks around the parts do not matter."""
        if isinstance(identity, EmailIdentity):
            user_id = self._database.user_id_by_email(identity.email.strip())
        else:
            user_id = self._database.user_id_by_name_and_zip(
                identity.first_name.strip(), identity.last_name.strip(), identity.zip.strip()
            )
        return None if user_id is None else self.get_user_details(user_id)

    def order_for(self, typed_order_id: str, user_id: str) -> Order | None:
        """Read the customer's own order by its id as customers write it: `w2378156`, ` #W2378156`.

        Returns:
            None for an order that is unknown, and just so for one of another customer: the answer
            does not tell which orders exist.
        """
        typed = _TYPED_ORDER_ID.fullmatch(typed_order_id)
        if typed is None:
            return None
        document = self._database.get("orders", f"#{typed[1].upper()}")
        if document is None:
            return None
        order = Order.model_validate(document)
        return order if order.user_id == user_id else None

    def _order_and_customer(self, order_id: str) -> tuple[Order, User]:
        order = self.get_order_details(order_id)
        return order, self.get_user_details(order.user_id)

    def _swap(
        self,
        order: Order,
        item_ids: Sequence[str],
        new_item_ids: Sequence[str],
        payment_method_id: str,
    ) -> Swap:
        product_ids = {line.product_id for line in order.items}
        return Swap(
            products={each: self.get_product_details(each) for each in product_ids},
            item_ids=item_ids,
            new_item_ids=new_item_ids,
            payment_method_id=payment_method_id,
        )

    def _keep(self, change: Change) -> Order:
        self._keep_customer(change.customer)
        return self._keep_order(change.order)

    def _keep_order(self, order: Order) -> Order:
        document = order.model_dump(mode="json", exclude_none=True)
        self._database.put("orders", order.order_id, document)
        return order

    def _keep_customer(self, customer: User) -> User:
        document = customer.model_dump(mode="json", exclude_none=True)
        self._database.put("users", customer.user_id, document)
        return customer


def _found(what: str, value: _Value | None) -> _Value:
    if value is None:
        raise Refused(f"{what} not found")
    return value
