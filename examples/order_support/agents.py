"""The agents of the support workflow, in the order in which a question meets them.

What has a workflow of its own stands elsewhere: `refunds` and `clarification`.
"""

from datetime import datetime
from decimal import Decimal

from examples.order_support import extract
from examples.order_support.carrier_client import UnknownParcel
from examples.order_support.delivery import delivery_dates, implausible
from examples.order_support.intents import IntentClassifier
from examples.order_support.models import (
    Alternative,
    Answer,
    Basis,
    DeliveryAnswer,
    Intent,
    NotFound,
    OrderAnswer,
    Query,
    RefundRequest,
    Reply,
    Request,
    ShippingRequest,
    StatusRequest,
    Unclear,
)
from examples.order_support.parcel_memory import ParcelMemory, Sighting
from examples.order_support.shop_clock import shop_now
from examples.order_support.shop_rules import EmailIdentity, Identity, Order, unbalanced
from examples.order_support.tools import (
    Refused,
    find_user_id_by_email,
    find_user_id_by_name_zip,
    get_order_details,
    track_parcel,
)
from examples.order_support.wording import reply_to
from fishplate import agent, current


@agent(version="1.0.0", pool="inference")
def intent(query: Query) -> Intent:
    """Read what a customer wants, by a model on this machine."""
    classifier = current().resource(IntentClassifier)
    found = classifier.classify(query.text)
    current().note(
        label=found.label,
        confidence=round(found.confidence, 2),
        alternatives={score.label: round(score.confidence, 2) for score in found.alternatives},
        classifier=classifier.version,
    )
    second = classifier.second_opinion(query.text)
    if second is not None and second.label != found.label:
        current().doubt(
            f"another classifier reads {second.label!r}, at {second.confidence:.2f}", about="intent"
        )
    if classifier.notice is not None:
        current().degrade("neural_model_absent", source="spelling")
    return Intent.model_validate(
        {
            "label": found.label,
            "confidence": found.confidence,
            "is_certain": classifier.is_certain(found),
            "alternatives": tuple(
                Alternative.model_validate(score._asdict()) for score in found.alternatives
            ),
        }
    )


@agent(version="1.0.0", inline=True)
def extraction(query: Query, intent: Intent) -> Request:  # noqa: PLR0911 -- one for each outcome
    """Find order and reason in the words; what is missing or uncertain is not guessed."""
    order_ids = extract.order_ids(query.text)
    if not intent.is_certain:
        return Unclear(missing="intent")
    if intent.label == "other":
        return Unclear(missing="topic")
    if query.customer is None:
        return Unclear(missing="customer")
    if len(order_ids) != 1:
        return Unclear(missing="single_order" if order_ids else "order")
    (order_id,) = order_ids
    match intent.label:
        case "order_status":
            return StatusRequest(order_id=order_id, customer=query.customer)
        case "shipping_question":
            return ShippingRequest(order_id=order_id, customer=query.customer)
        case "refund_request":
            reason_code = extract.reason_code(query.text)
            if reason_code is None:
                return Unclear(missing="reason")
            return RefundRequest(
                order_id=order_id, customer=query.customer, reason_code=reason_code
            )


@agent(version="1.0.0", tools=[find_user_id_by_email, find_user_id_by_name_zip, get_order_details])
async def customer_order(order_id: str, customer: Identity) -> Order | NotFound:
    """Read a customer's own order; another's order is not found, just as an unknown one."""
    try:
        if isinstance(customer, EmailIdentity):
            user_id = await find_user_id_by_email(customer.email.strip())
        else:
            user_id = await find_user_id_by_name_zip(
                customer.first_name.strip(), customer.last_name.strip(), customer.zip.strip()
            )
        order = await get_order_details(order_id)
    except Refused:
        return NotFound()
    if order.user_id != user_id:
        return NotFound()
    if order.order_id != order_id:
        current().doubt(f"it gave {order.order_id!r} for {order_id!r}", about="get_order_details")
    if (wrong := unbalanced(order)) is not None:
        current().doubt(wrong, about="get_order_details")
    return order


@agent(version="1.0.0", agents=[customer_order])
async def order_lookup(request: StatusRequest) -> OrderAnswer | NotFound:
    """Tell how far an order is."""
    order = await customer_order(request.order_id, request.customer)
    if isinstance(order, NotFound):
        return order
    return OrderAnswer(
        order_id=order.order_id,
        status=order.status,
        items=tuple(line.name for line in order.items),
        total=sum((line.price for line in order.items), start=Decimal(0)),
    )


@agent(version="1.0.0", agents=[customer_order], tools=[track_parcel], pool="tools")
async def logistics(request: ShippingRequest) -> DeliveryAnswer | NotFound:
    """Ask the carrier where an order's parcel is."""
    order = await customer_order(request.order_id, request.customer)
    if isinstance(order, NotFound):
        return order
    now = shop_now()
    tracking_id = _tracking_id(order)
    if tracking_id is None:
        return _without_parcel(order, now)
    try:
        parcel = await track_parcel(tracking_id)
    except UnknownParcel:
        return DeliveryAnswer(
            order_id=order.order_id, state="no_record", basis="carrier", as_of=now
        )
    if (wrong := implausible(order, parcel, now)) is not None:
        current().doubt(wrong, about=("track_parcel", "get_order_details"))
    sighting = Sighting(parcel=parcel, at=now)
    current().resource(ParcelMemory).remember(sighting)
    return _sighted(order, sighting, "carrier")


@agent(version="1.0.0", agents=[customer_order])
async def cached_eta(request: ShippingRequest) -> DeliveryAnswer | NotFound:
    """Answer without the carrier: what it said last, else what we estimate ourselves."""
    order = await customer_order(request.order_id, request.customer)
    if isinstance(order, NotFound):
        return order
    now = shop_now()
    tracking_id = _tracking_id(order)
    if tracking_id is None:
        return _without_parcel(order, now)
    sighting = current().resource(ParcelMemory).recall(tracking_id)
    if sighting is not None:
        age = (now - sighting.at).total_seconds()
        current().degrade("carrier_unavailable", source="cache", age=age)
        return _sighted(order, sighting, "last_known", age)
    current().degrade("carrier_unavailable", source="estimate")
    dates = delivery_dates(order)
    return DeliveryAnswer(
        order_id=order.order_id,
        state="in_transit" if dates.delivered_on is None else "delivered",
        day=dates.delivered_on or dates.expected_on,
        basis="estimate",
        as_of=now,
    )


@agent(version="1.0.0", inline=True)
def response_composer(query: Query, answer: Answer) -> Reply:
    """Put an answer into words for its channel."""
    return reply_to(answer, query.channel)


def _tracking_id(order: Order) -> str | None:
    """The parcel to ask for; the one of a cancelled order is of no use to the customer."""
    if order.status == "cancelled":
        return None
    # No order is split, so the first parcel is the only one.
    return next((each for parcel in order.fulfillments for each in parcel.tracking_id), None)


def _without_parcel(order: Order, now: datetime) -> DeliveryAnswer:
    state = "cancelled" if order.status == "cancelled" else "not_sent"
    return DeliveryAnswer(order_id=order.order_id, state=state, basis="shop", as_of=now)


def _sighted(
    order: Order, sighting: Sighting, basis: Basis, age: float | None = None
) -> DeliveryAnswer:
    parcel = sighting.parcel
    return DeliveryAnswer(
        order_id=order.order_id,
        state=parcel.status,
        day=parcel.delivered_on or parcel.eta,
        place=parcel.location,
        basis=basis,
        as_of=sighting.at,
        age=age,
    )
