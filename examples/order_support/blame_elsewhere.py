"""Right answers of other trades, by plain code: blame must find nothing in any of them.

Each does something that looks odd and is right: an id comes back in another spelling or is another
thing's by purpose, a search scores in its own way, finds nothing, or finds it in another language.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from fishplate import Agent, agent, current, tool
from fishplate.core.current import Passage
from fishplate.testing.scripted_model import Scripted


@dataclass(frozen=True, kw_only=True, slots=True)
class RightAnswer:
    """A question that is answered right.

    Attributes:
        name: What is odd about the answer.
        asked: The agent.
        given: What it is asked.
        said: What a language model answers on the way, in order.
    """

    name: str
    asked: Agent[..., Any]
    given: str
    said: Sequence[Scripted] = field(default=())


class Ticket(BaseModel):
    """Of a help desk."""

    ticket_id: str
    subject: str


class Account(BaseModel):
    """Of a bank."""

    account_number: str
    holder: str


class Invoice(BaseModel):
    """Of a supplier."""

    invoice_number: int
    is_paid: bool


class Employee(BaseModel):
    """Of a company."""

    employee_id: str
    name: str


class Part(BaseModel):
    """A spare part."""

    sku: str
    replaces: str | None = None


class Booking(BaseModel):
    """Of a flight."""

    booking_number: str
    flight: str


class Subscriber(BaseModel):
    """Of a newsletter."""

    email: str
    is_confirmed: bool


class Device(BaseModel):
    """In a factory."""

    device_id: str
    room: str


@tool(effect="readonly")
async def ticket(ticket_id: str) -> Ticket:
    """Read a ticket, whose id the desk writes with zeros: `tic-17` is `TIC-000017`."""
    prefix, _, number = ticket_id.partition("-")
    return Ticket(ticket_id=f"{prefix.upper()}-{int(number):06}", subject="The printer is on fire")


@tool(effect="readonly")
async def account(account_number: str) -> Account:
    """Read an account, whose number the bank writes without spaces."""
    return Account(account_number=account_number.replace(" ", "").upper(), holder="Ann Bell")


@tool(effect="readonly")
async def invoice(invoice_number: str) -> Invoice:
    """Read an invoice, whose number is one."""
    return Invoice(invoice_number=int(invoice_number.removeprefix("INV")), is_paid=True)


@tool(effect="readonly")
async def manager_of(employee_id: str) -> Employee:
    """Read whom somebody reports to, which is somebody else."""
    return Employee(employee_id=f"{employee_id[:1]}2", name="Mona Reed")


@tool(effect="readonly")
async def successor(sku: str) -> Part:
    """Read by what a part was replaced."""
    return Part(sku="PUMP-9", replaces=sku)


@tool(effect="readonly")
async def rebooked(booking_number: str) -> Booking:
    """Read the booking that stands for a cancelled one."""
    return Booking(booking_number="ZX81QP", flight=f"FP 12 instead of that of {booking_number}")


@tool(effect="readonly")
async def subscriber(email: str) -> Subscriber:
    """Read a subscriber, whose address is kept in small letters."""
    return Subscriber(email=email.strip().lower(), is_confirmed=True)


@tool(effect="readonly")
async def device(device_id: str) -> Device:
    """Read a device, whose id is kept as a UUID is written."""
    hexes = device_id.strip("{}").lower()
    parts = (hexes[:8], hexes[8:12], hexes[12:16], hexes[16:20], hexes[20:])
    return Device(device_id="-".join(parts), room="Hall 3")


@tool(effect="readonly")
async def colleague(employee_id: str) -> Employee:
    """Read an employee, whose id is a path in the directory."""
    return Employee(employee_id=f"people/{employee_id}", name="Tom Ivory")


@agent(tools=[ticket])
async def help_desk(ticket_id: str) -> str:
    """Say what a ticket is about."""
    return (await ticket(ticket_id)).subject


@agent(tools=[account])
async def bank(account_number: str) -> str:
    """Say whose account it is."""
    return (await account(account_number)).holder


@agent(tools=[invoice])
async def supplier(invoice_number: str) -> bool:
    """Say whether an invoice is paid."""
    return (await invoice(invoice_number)).is_paid


@agent(tools=[manager_of])
async def reports_to(employee_id: str) -> str:
    """Say whom somebody reports to."""
    return (await manager_of(employee_id)).name


@agent(tools=[successor])
async def spare_parts(sku: str) -> str:
    """Say what to order in place of a part."""
    return f"order {(await successor(sku)).sku}"


@agent(tools=[rebooked])
async def airline(booking_number: str) -> str:
    """Say which flight a passenger takes now."""
    found = await rebooked(booking_number)
    return f"{found.booking_number}: {found.flight}"


@agent(tools=[subscriber])
async def newsletter(email: str) -> bool:
    """Say whether a subscriber has confirmed."""
    return (await subscriber(email)).is_confirmed


@agent(tools=[device])
async def factory(device_id: str) -> str:
    """Say where a device stands."""
    return (await device(device_id)).room


@agent(tools=[colleague])
async def directory(employee_id: str) -> str:
    """Say who somebody is."""
    return (await colleague(employee_id)).name


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a search finds, and what is said then."""

    passages: Sequence[Passage]
    used: Sequence[str]
    answer: str


def _one(passage_id: str, score: float, text: str) -> Sequence[Passage]:
    return (Passage(id=passage_id, score=score, text=text),)


_LEAVE: Final = "Annual leave is 28 days."
_SEARCHES: Final = {
    "How long may I return shoes?": Found(
        passages=_one("ruecknahme", 0.9, "Schuhe nehmen wir binnen 14 Tagen wieder."),
        used=["ruecknahme"],
        answer="For 14 days.",
    ),
    "Can I get my money back?": Found(
        passages=_one("refunds", 0.62, "Refunds are granted within a month."),
        used=["refunds"],
        answer="Yes, within a month.",
    ),
    "annual leave by SQLite": Found(
        passages=_one("leave", -3.2, _LEAVE), used=["leave"], answer="28 days"
    ),
    "annual leave by distance": Found(
        passages=(
            Passage(id="leave", score=0.05, text=_LEAVE),
            Passage(id="sick", score=0.21, text="Sick leave needs a note."),
        ),
        used=["leave"],
        answer="28 days",
    ),
    "annual leave by one distance": Found(
        passages=_one("leave", 0.05, _LEAVE), used=["leave"], answer="28 days"
    ),
    "annual leave by rank fusion": Found(
        passages=(
            Passage(id="leave", score=0.0325, text=_LEAVE),
            Passage(id="sick", score=0.0161, text="Sick leave needs a note."),
        ),
        used=["leave"],
        answer="28 days",
    ),
    "annual leave by a small model": Found(
        passages=_one("leave", 0.24, _LEAVE), used=["leave"], answer="28 days"
    ),
    "May I bring an elephant?": Found(passages=(), used=[], answer="Our rules do not say."),
    "May I bring a crocodile?": Found(
        passages=_one("dogs", 0.4, "A dog is welcome."), used=[], answer="Our rules do not say."
    ),
    "annual leave in the handbook": Found(
        passages=_one("handbook#3", 0.8, _LEAVE), used=["handbook"], answer="28 days"
    ),
    "annual leave in every section": Found(
        passages=_one("handbook", 0.8, _LEAVE), used=["handbook/leave"], answer="28 days"
    ),
}


@agent
async def house_rules(question: str) -> str:
    """Answer from what a search finds."""
    found = _SEARCHES[question]
    current().retrieved("rules", found.passages, used=found.used, query=question)
    return found.answer


@agent
async def two_searches(question: str) -> str:
    """Look twice, and answer from what the first look has found."""
    current().retrieved("rules", _one("leave", 0.7, _LEAVE), query=question)
    current().retrieved("news", _one("canteen", 0.3, "Soup today."), used=["leave"], query=question)
    return "28 days"


@agent
async def declared_scores(question: str) -> str:
    """Say from which score on a passage fits: a distance is the better the smaller it is."""
    found = _one("leave", 0.05, _LEAVE)
    current().retrieved("rules", found, used=["leave"], query=question, at_most=0.3)
    return "28 days"


def _asked(name: str, asked: Agent[..., Any], given: str) -> RightAnswer:
    return RightAnswer(name=name, asked=asked, given=given)


PLAIN: Final = (
    _asked("an id is given in capitals and with zeros", help_desk, "tic-17"),
    _asked("an account number loses its spaces", bank, "de89 3704 0044 0532 0130 00"),
    _asked("an invoice number becomes a number", supplier, "INV0017"),
    _asked("an employee's manager is somebody else", reports_to, "e7"),
    _asked("a part was replaced, and says so", spare_parts, "PUMP-4"),
    _asked("a booking stands for another", airline, "AB12CD"),
    _asked("an e-mail address is kept in small letters", newsletter, "Ann@Example.COM "),
    _asked("a UUID gets its dashes", factory, "{6BA7B8109DAD11D180B400C04FD430C8}"),
    _asked("an id becomes a path", directory, "17"),
    *(_asked(f"a search: {question}", house_rules, question) for question in _SEARCHES),
    _asked("what is used was found by an earlier search", two_searches, "annual leave"),
    _asked("a short distance", declared_scores, "annual leave"),
)
