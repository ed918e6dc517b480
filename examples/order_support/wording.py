"""The words of every reply: templates over what the agents answered, and nothing beside it.

A day that we derived ourselves is called our estimate, and what the carrier said earlier is given
the time at which it said so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, assert_never

from examples.order_support.delivery import SHOP_TIME
from examples.order_support.models import (
    Answer,
    Channel,
    ChatReply,
    Clarification,
    DeliveryAnswer,
    EmailReply,
    NotFound,
    OrderAnswer,
    RefundAnswer,
    Reply,
    SmsReply,
    Unsettled,
)
from examples.order_support.refund_rules import RefundMethod
from examples.order_support.shop_rules import OrderStatus

GREETING: Final = "Hello,"
CLOSING: Final = "Kind regards,\nOrder support"

_NO_CARRIER: Final = "The carrier does not answer right now."

_STATUS: Final[Mapping[OrderStatus, str]] = {
    "pending": "is pending and has not been sent yet",
    "pending (item modified)": "is pending with modified items and has not been sent yet",
    "processed": "is being sent",
    "delivered": "was delivered",
    "cancelled": "was cancelled",
    "return requested": "was delivered, and its return has been requested",
    "exchange requested": "was delivered, and an exchange has been requested",
}
_UNSETTLED: Final[Mapping[Literal["late", "unclear"], tuple[str, ...]]] = {
    "late": (
        "We have asked you a question and heard nothing since, so we end here.",
        "Please write to us again.",
    ),
    "unclear": (
        "Your answer does not tell us yet what we can do for you.",
        "Please write again, with the order's number and what it is about.",
    ),
}
_METHOD: Final[Mapping[RefundMethod, str]] = {
    "original_payment": "back to the original payment method",
    "store_credit": "as store credit to the gift card",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """One answer in words.

    Attributes:
        subject: Of an e-mail.
        sentences: The whole answer; a paragraph each in an e-mail.
        brief: The same on at most 160 ASCII characters, caveats included.
    """

    subject: str
    sentences: tuple[str, ...]
    brief: str


def reply_to(answer: Answer | Clarification, channel: Channel) -> Reply:
    """Write an answer, or a question of ours, for a channel."""
    wording = word(answer)
    match channel:
        case "email":
            text = "\n\n".join((GREETING, *wording.sentences, CLOSING))
            return EmailReply(subject=wording.subject, text=text)
        case "chat":
            return ChatReply(text=" ".join(wording.sentences))
        case "sms":
            return SmsReply(text=wording.brief)


def word(answer: Answer | Clarification) -> Wording:
    """Put an answer, or a question of ours, into words."""
    match answer:
        case OrderAnswer():
            return _order(answer)
        case RefundAnswer():
            return _refund(answer)
        case DeliveryAnswer():
            return _delivery(answer)
        case Clarification():
            return Wording(
                subject="Your question",
                sentences=("Thank you for writing to us.", answer.question),
                brief=answer.question,
            )
        case Unsettled():
            return Wording(
                subject="Your question",
                sentences=_UNSETTLED[answer.why],
                brief=" ".join(_UNSETTLED[answer.why]),
            )
        case NotFound():
            text = (
                "We could not find that order under your details. "
                "Please check its number, and the e-mail address or name and zip code."
            )
            return Wording(subject="Your order", sentences=(text,), brief=text)
        case _:
            assert_never(answer)


def _order(answer: OrderAnswer) -> Wording:
    status = f"Order {answer.order_id} {_STATUS[answer.status]}."
    count = "1 item" if len(answer.items) == 1 else f"{len(answer.items)} items"
    return Wording(
        subject=f"Your order {answer.order_id}",
        sentences=(status, f"It holds {count} for {answer.total:.2f}: {', '.join(answer.items)}."),
        brief=f"{status} It holds {count} for {answer.total:.2f}.",
    )


def _refund(answer: RefundAnswer) -> Wording:
    sentences, brief = _outcome(answer)
    # The other outcomes rest on no day.
    counts_days = answer.counts_days and answer.outcome in {"not_due", "paid"}
    estimate = ("We count the days by our own estimate of the delivery.",) * counts_days
    label = " (Days by our estimate.)" if counts_days else ""
    explains = answer.section is not None and answer.outcome in {"not_due", "paid"}
    rule = (f'So says our refund policy, under "{answer.section}".',) * explains
    return Wording(
        subject=f"A refund for order {answer.order_id}",
        sentences=(sentences[0], *rule, *estimate, *sentences[1:]),
        brief=f"{brief}{label}",
    )


def _outcome(answer: RefundAnswer) -> tuple[tuple[str, ...], str]:
    """What came of a refund: the whole, and in brief."""
    order, amount = f"order {answer.order_id}", f"{answer.refund_amount:.2f}"
    match answer.outcome:
        case "not_due":
            return (answer.explanation,), answer.explanation
        case "paid":
            sent = f"We have sent it, as refund number {answer.refund}."
            way = _METHOD[answer.refund_method]
            return (answer.explanation, sent), f"Order {answer.order_id}: {amount} has gone {way}."
        case "asked_before":
            said = f"A refund for {order} has been asked for before, and it is made once."
            return (said,), said
        case "rejected":
            said = f"A colleague has looked at the refund of {amount} for {order}, and declined it."
            return (said, "No money has moved. Please write to us if you disagree."), said
        case "expired":
            said = f"Nobody here could decide in time about the refund of {amount} for {order}."
            again = "No money has moved."
            return (said, again, "Please ask for it again."), f"{said} {again}"


def _delivery(answer: DeliveryAnswer) -> Wording:
    subject = f"The delivery of order {answer.order_id}"
    fact, at = _whereabouts(answer), _time(answer.as_of)
    scan = () if answer.place is None else (f"Its last scan was in {answer.place}.",)
    match answer.basis:
        case "shop":
            sentences, brief = (f"{fact}.",), f"{fact}."
        case "carrier":
            sentences, brief = (f"The carrier says: {fact}.", *scan), f"Carrier: {fact}."
        case "last_known":
            cached = "" if answer.age is None else f", cached {_span(answer.age)} ago"
            sentences = (_NO_CARRIER, f"Its last answer, of {at}{cached}, says: {fact}.", *scan)
            brief = f"{_NO_CARRIER} Its last answer, of {at}{cached}: {fact}."
        case "estimate":
            sentences = (_NO_CARRIER, f"Our own estimate, of {at}, says: {fact}.")
            brief = f"{_NO_CARRIER} Our own estimate, of {at}: {fact}."
    return Wording(subject=subject, sentences=sentences, brief=brief)


def _whereabouts(answer: DeliveryAnswer) -> str:
    order = f"order {answer.order_id}"
    match answer.state:
        case "not_sent":
            return f"Order {answer.order_id} has not been sent yet"
        case "cancelled":
            return f"Order {answer.order_id} was cancelled, so nothing is on its way"
        case "no_record":
            return f"no record of {order} yet"
        case "in_transit":
            day = "" if answer.day is None else f" and expected on {answer.day.isoformat()}"
            return f"{order} is on its way{day}"
        case "delivered":
            day = "" if answer.day is None else f" on {answer.day.isoformat()}"
            return f"{order} was delivered{day}"
        case "returned_to_sender":
            return f"{order} is on its way back to us"


def _span(seconds: float) -> str:
    """How long that is, in the largest unit of which it is at least two."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _time(moment: datetime) -> str:
    return moment.astimezone(SHOP_TIME).strftime("%Y-%m-%d %H:%M EST")
