"""Asking the payment service for a refund.

| the service answers | error class |
|---|---|
| 429 | `RATE_LIMITED` |
| 5xx | `TRANSIENT`: the refund may have been made all the same |
| another status below 500 | `PERMANENT`: it refuses, and nothing was refunded |
| no receipt, or one of another refund | `CONTRACT_OUT` |
"""

from http import HTTPStatus
from typing import Final

from pydantic import ValidationError

from examples.order_support.http_client import HttpClient
from examples.order_support.payments import Charges, Receipt, RefundOrder
from fishplate import ErrorClass

_NO_REFUND: Final = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.INTERNAL_SERVER_ERROR)


class PaymentClient(HttpClient):
    """The payment service's client."""

    def __init__(self) -> None:
        super().__init__("payment_api")

    async def refund(self, service_url: str, asked: RefundOrder, *, key: str | None) -> Receipt:
        """Give money back.

        Args:
            service_url: Without a slash at the end.
            asked: What for, how much of the shop's currency, and which way.
            key: A repeated request with an equal key is one refund; `None` sends none.

        Raises:
            Failure: There was no usable answer; see the table above.
            MissingExtraError: The HTTP client is not installed.
        """
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        status, body = await self.ask(
            "POST",
            f"{service_url}/refunds",
            body=asked.model_dump_json().encode(),
            headers=headers,
        )
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise self.failure("limits", "asks us to come less often", ErrorClass.RATE_LIMITED)
        if status in _NO_REFUND:
            raise self.failure("refuses", f"answered {status}", ErrorClass.PERMANENT)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self.failure("failed", f"answered {status}", ErrorClass.TRANSIENT)
        try:
            receipt = Receipt.model_validate_json(body)
        except ValidationError as error:
            message = f"gave no receipt: {error.error_count()} violations"
            raise self.broken(message) from error
        if not receipt.is_of(asked):
            raise self.broken(f"gave the receipt of {receipt.order_id!r} for {asked.order_id!r}")
        return receipt

    async def charges(self, service_url: str) -> list[Receipt]:
        """Everything that the service has refunded, in order.

        Raises:
            Failure: There was no usable answer.
            MissingExtraError: The HTTP client is not installed.
        """
        status, body = await self.ask("GET", f"{service_url}/charges")
        if status != HTTPStatus.OK:
            raise self.failure("failed", f"answered {status}", ErrorClass.TRANSIENT)
        try:
            return Charges.model_validate_json(body).charges
        except ValidationError as error:
            message = f"gave no list of refunds: {error.error_count()} violations"
            raise self.broken(message) from error
