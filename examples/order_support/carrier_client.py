"""Asking the carrier where a parcel is.

| the carrier answers | error class |
|---|---|
| 429 | `RATE_LIMITED` |
| 5xx | `OVERLOAD` |
| 404 | none: that is an answer, `UnknownParcel` |
| another status, no parcel, or another parcel | `CONTRACT_OUT` |

What breaks on the way is in `http_client`.
"""

from http import HTTPStatus

from pydantic import ValidationError

from examples.order_support.delivery import Parcel
from examples.order_support.http_client import HttpClient
from fishplate import DeclaredError, ErrorClass


class UnknownParcel(DeclaredError):  # noqa: N818 -- an answer of the carrier, and no fault
    """The carrier has no record of the parcel."""

    tracking_id: str


class CarrierClient(HttpClient):
    """The carrier's client."""

    def __init__(self) -> None:
        super().__init__("carrier")

    async def track(self, carrier_url: str, tracking_id: str) -> Parcel:
        """Ask where a parcel is.

        Args:
            carrier_url: Of the service, without a slash at the end.
            tracking_id: Twelve digits.

        Raises:
            UnknownParcel: The carrier has no record of it.
            Failure: There was no usable answer; see the table above.
            MissingExtraError: The HTTP client is not installed.
        """
        status, body = await self.ask("GET", f"{carrier_url}/track/{tracking_id}")
        if status == HTTPStatus.NOT_FOUND:
            raise UnknownParcel(tracking_id=tracking_id)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise self.failure("limits", "asks us to come less often", ErrorClass.RATE_LIMITED)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self.failure("overloaded", f"answered {status}", ErrorClass.OVERLOAD)
        if status != HTTPStatus.OK:
            raise self.broken(f"answered {status}")
        try:
            parcel = Parcel.model_validate_json(body)
        except ValidationError as error:
            raise self.broken(f"gave no parcel: {error.error_count()} violations") from error
        if parcel.tracking_id != tracking_id:
            raise self.broken(f"gave parcel {parcel.tracking_id!r} for {tracking_id!r}")
        return parcel
