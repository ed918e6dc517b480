"""What the agents of the support workflow say to each other, from the question to the reply.

Every union has a tag, so that its members can be told apart as JSON: `kind` for what passes between
agents, `channel` for what leaves.
"""

from datetime import date
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from examples.order_support import intents
from examples.order_support.refund_rules import ReasonCode, RefundMethod
from examples.order_support.shop_rules import Identity, Money, OrderStatus

Channel: TypeAlias = Literal["email", "chat", "sms"]
SMS_LENGTH = 160
"""Characters of one message; ours are ASCII, which fits the seven bits of a single SMS."""

LONGEST_QUESTION = 10_000
"""Characters of what a customer says."""

OrderId: TypeAlias = Annotated[str, Field(pattern=r"^#W[0-9]{7}$")]
"""As the shop writes it, whatever the customer typed."""

Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


# In.


class Query(_Message):
    """What a customer asks.

    Attributes:
        text: In the customer's words; at most 10,000 characters.
        channel: Where the reply goes.
        customer: Who asks, as the channel has established it; None if it has not.
    """

    text: Annotated[str, Field(max_length=LONGEST_QUESTION)]
    channel: Channel = "chat"
    customer: Identity | None = None


class CustomerAnswer(_Message):
    """What a customer says when we have asked: the signal `answer`, for which the run waits.

    Attributes:
        text: In the customer's words; at most 10,000 characters.
        customer: Who says so, if the channel has established it by now; None for the one who asked.
    """

    text: Annotated[str, Field(max_length=LONGEST_QUESTION)]
    customer: Identity | None = None


# What the intent agent and the extraction make of it.


class Alternative(_Message):
    """An intent that the message may have instead, and how likely that is."""

    label: intents.Intent
    confidence: Share


class Intent(_Message):
    """What the customer wants, as the local model reads it.

    Attributes:
        confidence: Share of the model's belief; no calibrated probability.
        is_certain: Whether the confidence suffices to act on it.
        alternatives: Every other intent, the likeliest first.
    """

    label: intents.Intent
    confidence: Share
    is_certain: bool
    alternatives: tuple[Alternative, ...]


class StatusRequest(_Message):
    """Tell how far an order is."""

    kind: Literal["status_request"] = "status_request"
    order_id: OrderId
    customer: Identity


class RefundRequest(_Message):
    """Give an order's money back, if the rules say so."""

    kind: Literal["refund_request"] = "refund_request"
    order_id: OrderId
    customer: Identity
    reason_code: ReasonCode


class ShippingRequest(_Message):
    """Tell where an order's parcel is."""

    kind: Literal["shipping_request"] = "shipping_request"
    order_id: OrderId
    customer: Identity


Missing: TypeAlias = Literal["intent", "topic", "customer", "order", "single_order", "reason"]


class Unclear(_Message):
    """What has to be asked before anything can be answered.

    Attributes:
        missing: `intent` is uncertain; `topic` is none that we answer; the rest is not in the
            message, or in it more than once.
    """

    kind: Literal["unclear"] = "unclear"
    missing: Missing


Request: TypeAlias = StatusRequest | RefundRequest | ShippingRequest | Unclear


# What the agents answer.


class NotFound(_Message):
    """The customer has no such order: it is unknown, another's, or the customer is unknown.

    It says no more than that, so that nobody learns which orders and customers exist.
    """

    kind: Literal["not_found"] = "not_found"


class OrderAnswer(_Message):
    """How far an order is.

    Attributes:
        items: The name of each line, as often as it was ordered.
        total: Sum of the lines' prices.
    """

    kind: Literal["order"] = "order"
    order_id: str
    status: OrderStatus
    items: tuple[str, ...]
    total: Money


class Citation(_Message):
    """The section of the refund policy that a decision rests on.

    Attributes:
        section: Its title; None if no section was found that is about the matter.
        text: What it says; empty if none was found.
    """

    section: str | None
    text: str = ""


class NoRefund(_Message):
    """The agent `refund_eligibility` has decided that no money goes back.

    Attributes:
        section: Of the refund policy, which says so; None if none was found.
        counts_days: Whether the decision rests on the day of delivery, which is our own estimate.
    """

    kind: Literal["no_refund"] = "no_refund"
    order_id: str
    explanation: str
    section: str | None = None
    counts_days: bool


class RefundDue(_Message):
    """Money that goes back, as the agent `refund_eligibility` decided.

    Attributes:
        needs_approval: Whether a person has to agree first.
        section: As in `NoRefund`.
        counts_days: As in `NoRefund`.
    """

    kind: Literal["refund_due"] = "refund_due"
    order_id: str
    refund_amount: Annotated[Money, Field(gt=0)]
    refund_method: RefundMethod
    needs_approval: bool
    explanation: str
    section: str | None = None
    counts_days: bool


class Paid(_Message):
    """The payment service has made a refund; its number is the service's own."""

    kind: Literal["paid"] = "paid"
    refund: int


class AskedBefore(_Message):
    """Another run has asked for an order's refund before, and money goes back once."""

    kind: Literal["asked_before"] = "asked_before"


RefundOutcome: TypeAlias = Literal["not_due", "paid", "asked_before", "rejected", "expired"]


class RefundAnswer(_Message):
    """What came of a request for a refund.

    Attributes:
        outcome: Only `paid` means that money has moved; `rejected` and `expired` say that nobody
            has agreed.
        refund_amount: What was due; 0 if nothing was.
        refund: The payment service's number; None if money has not moved.
        section: As in `NoRefund`.
        counts_days: As in `NoRefund`.
    """

    kind: Literal["refund"] = "refund"
    order_id: str
    outcome: RefundOutcome
    refund_amount: Money
    refund_method: RefundMethod
    refund: int | None = None
    explanation: str
    section: str | None = None
    counts_days: bool


DeliveryState: TypeAlias = Literal[
    "not_sent", "cancelled", "no_record", "in_transit", "delivered", "returned_to_sender"
]
Basis: TypeAlias = Literal["shop", "carrier", "last_known", "estimate"]


class DeliveryAnswer(_Message):
    """Where an order's parcel is.

    Attributes:
        day: Of delivery if it was delivered, else of its expected arrival; None if nobody says.
        place: City and state of the carrier's last scan; None if it has not said.
        basis: Who says so. `last_known` is what the carrier said at `as_of`, and `estimate` is our
            own, made without the carrier.
        as_of: When that was true.
        age: Seconds since then, of an answer that was remembered; None for any other.
    """

    kind: Literal["delivery"] = "delivery"
    order_id: str
    state: DeliveryState
    day: date | None = None
    place: str | None = None
    basis: Basis
    as_of: AwareDatetime
    age: Annotated[float, Field(ge=0)] | None = None


class Clarification(_Message):
    """A question to the customer; at most as long as an SMS."""

    kind: Literal["clarification"] = "clarification"
    question: Annotated[str, Field(max_length=SMS_LENGTH)]


class Unsettled(_Message):
    """We asked, and do not know more: nothing was answered in time, or nothing that helps."""

    kind: Literal["unsettled"] = "unsettled"
    why: Literal["late", "unclear"]


Answer: TypeAlias = OrderAnswer | RefundAnswer | DeliveryAnswer | Unsettled | NotFound


# Out.


class EmailReply(_Message):
    """A reply by e-mail, as plain text."""

    channel: Literal["email"] = "email"
    subject: str
    text: str


class ChatReply(_Message):
    """A reply in the chat, on one line."""

    channel: Literal["chat"] = "chat"
    text: str


class SmsReply(_Message):
    """A reply that fits a single SMS."""

    channel: Literal["sms"] = "sms"
    text: Annotated[str, Field(max_length=SMS_LENGTH)]


Reply: TypeAlias = EmailReply | ChatReply | SmsReply
