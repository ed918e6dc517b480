"""The world that a case of blame plays in, with at most one part of it spoiled, and its run.

A spoiled part is a wrapper round a real one: the application is the same, and does not know. What
it keeps of its runs is what any app keeps: traces in a store, redacted, by default settings.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override

from examples.order_support.app import make_app
from examples.order_support.carrier import Carrier, FaultMode
from examples.order_support.delivery import Parcel, known_parcels
from examples.order_support.intents import IntentClassifier
from examples.order_support.model_agents import ALIAS, support_by_model
from examples.order_support.models import CustomerAnswer, Query, Reply
from examples.order_support.outbox import Outbox
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.policy_search import PolicySearch
from examples.order_support.refund_rules import RefundFacts, RefundRule, RefundTable
from examples.order_support.refunds import SUPPORT_LEAD
from examples.order_support.shop import Shop
from examples.order_support.shop_clock import ShopClock
from examples.order_support.shop_database import ShopDatabase
from examples.order_support.shop_rules import Order
from examples.order_support.tools import cancel_pending_order
from examples.order_support.workflow import support
from fishplate import Agent, App, FishplateError, Principal, Run, current, tool
from fishplate.core.current import Passage
from fishplate.models import Classification
from fishplate.testing import ScriptedModel
from fishplate.testing.scripted_model import Scripted

AT_A_LOSS: Final = CustomerAnswer(text="I do not know.")
LEAD: Final = Principal(name="ann", roles=frozenset({SUPPORT_LEAD}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """What happened before the question of a case.

    Attributes:
        asked: A message that was answered.
        cancelled: Id of a pending order that the desk cancelled, as its tool does it.
        cancelled_elsewhere: The same by a tool that does not say that it writes to orders.
        cancelled_outside: The same by a process that keeps no traces here.
        seconds: That went by after it.
    """

    asked: Query | None = None
    cancelled: str | None = None
    cancelled_elsewhere: str | None = None
    cancelled_outside: str | None = None
    seconds: float = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """The parts of the application that a case may spoil.

    Attributes:
        shop: Opens the shop at a path.
        parcels: Makes what the carrier believes of a parcel of what is true.
        carrier: How the carrier behaves when the question comes.
        reads: Makes the reader of intents of the trained one.
        search: Makes the search in the refund policy.
        rules: Makes the table of refunds.
        model: What a language model answers, in order; without any there is no model.
        before: What happened before, in order.
        answer: What the customer says if there is something to ask.
    """

    shop: Callable[[str], Shop] = Shop.open
    parcels: Callable[[Parcel], Parcel] = lambda parcel: parcel
    carrier: FaultMode = "healthy"
    reads: Callable[[IntentClassifier], IntentClassifier] = lambda trained: trained
    search: Callable[[], PolicySearch] = PolicySearch
    rules: Callable[[], RefundTable] = RefundTable
    model: Sequence[Scripted] = ()
    before: Sequence[Before] = ()
    answer: CustomerAnswer = AT_A_LOSS


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What came of a question.

    Attributes:
        run: Id of its run.
        state: In which it ended.
        reply: The whole reply, or why there is none.
    """

    run: str
    state: str
    reply: str


class Stage:
    """Plays questions in worlds of their own, and keeps what all of them share.

    Args:
        classifier: Trained, for it takes a second.
        payments: The payment service of all runs.
    """

    def __init__(self, classifier: IntentClassifier, payments: PaymentProcess) -> None:
        self._classifier = classifier
        self._payments = payments
        self._parcels = known_parcels()

    def play(self, folder: Path, world: World, query: Query) -> Played:
        """Ask a question, in a world that is kept in a folder; its traces are in `traces.db`."""
        return asyncio.run(self._play(folder, world, query))

    async def _play(self, folder: Path, world: World, query: Query) -> Played:
        clock = ShopClock()
        carrier = Carrier({key: world.parcels(one) for key, one in self._parcels.items()})
        app = make_app(
            store=f"sqlite:///{folder / 'runs.db'}",
            traces=traces_of(folder),
            others=[cancel_in_warehouse],
            shop=lambda: world.shop(str(folder / "shop.db")),
            carrier=lambda: carrier,
            payments=lambda: self._payments,
            outbox=lambda: Outbox(folder / "outbox"),
            classifier=lambda: world.reads(self._classifier),
            search=world.search,
            rules=world.rules,
            models={ALIAS: ScriptedModel(world.model)} if world.model else None,
            clock=clock,
        )
        unit: Agent[[Query], Reply] = support_by_model if world.model else support
        async with app:
            for event in world.before:
                await _happen(app, event, folder)
                clock.skip(event.seconds)
            carrier.set_mode(world.carrier)
            run = app.start(unit, query)
            reply = await _answered(app, run, world.answer)
            return Played(run=run.id, state=run.state, reply=reply)


def traces_of(folder: Path) -> str:
    """The URL of the traces of a world that was played in a folder."""
    return f"sqlite:///{folder / 'traces.db'}"


async def _happen(app: App, event: Before, folder: Path) -> None:
    if event.asked is not None:
        await app.start(support, event.asked).result()
    if event.cancelled is not None:
        await app.start(cancel_pending_order, event.cancelled, "no longer needed").result()
    if event.cancelled_elsewhere is not None:
        await app.start(cancel_in_warehouse, event.cancelled_elsewhere).result()
    if event.cancelled_outside is not None:
        await asyncio.to_thread(_cancel_outside, folder, event.cancelled_outside)


def _cancel_outside(folder: Path, order_id: str) -> None:
    with Shop.open(str(folder / "shop.db")) as shop:
        shop.cancel_pending_order(order_id, "no longer needed")


async def _answered(app: App, run: Run[Reply], answer: CustomerAnswer) -> str:
    while await run.ended_or_waiting() == "waiting":
        (wait,) = await app.waits(run.id)
        if wait.kind == "approval":
            await app.approve(run.id, wait.key, principal=LEAD)
        else:
            await app.signal(run.id, wait.name, answer)
    try:
        return (await run.result()).text
    except FishplateError as error:
        return f"[{error.code}]"


@tool(version="1.0.0", effect="idempotent", scopes=["warehouse:write"])
def cancel_in_warehouse(order_id: str) -> Order:
    """Cancel an order and declare nothing of it: whoever remembers orders is not told."""
    return current().resource(Shop).cancel_pending_order(order_id, "no longer needed")


class SpoiledShop(Shop):
    """A shop that gives other rows than it has.

    Args:
        database: Of the shop.
        order: Makes what is given of the shop and the id that was asked for.
        user_id: Given to whoever asks for a customer by e-mail; `None`: the right one.
    """

    def __init__(
        self,
        database: ShopDatabase,
        order: Callable[[Shop, str], Order] | None = None,
        user_id: str | None = None,
    ) -> None:
        super().__init__(database)
        self._sound = Shop(database)
        self._order = order
        self._user_id = user_id

    @override
    def get_order_details(self, order_id: str) -> Order:
        if self._order is None:
            return super().get_order_details(order_id)
        return self._order(self._sound, order_id)

    @override
    def find_user_id_by_email(self, email: str) -> str:
        return self._user_id or super().find_user_id_by_email(email)


def giving(order: Callable[[Shop, str], Order]) -> Callable[[str], Shop]:
    """Opens a shop that gives these orders."""
    return lambda path: SpoiledShop(ShopDatabase.open(path), order=order)


def finding(user_id: str) -> Callable[[str], Shop]:
    """Opens a shop that finds this customer, whoever is asked for."""
    return lambda path: SpoiledShop(ShopDatabase.open(path), user_id=user_id)


class Misreading(IntentClassifier):
    """A reader of intents that reads one thing, whatever is said, and has everything else right."""

    def __init__(self, sound: IntentClassifier, label: str, confidence: float) -> None:
        super().__init__()
        self._sound = sound
        rest = (1 - confidence) / 3
        others = {name: rest for name in LABELS if name != label}
        self._found = Classification.from_scores({label: confidence, **others})

    @override
    def classify(self, text: str) -> Classification:
        return self._found

    @override
    def is_certain(self, classification: Classification) -> bool:
        return self._sound.is_certain(classification)

    @override
    def second_opinion(self, text: str) -> Classification | None:
        return self._sound.second_opinion(text)

    @property
    @override
    def notice(self) -> str | None:
        return self._sound.notice

    @property
    @override
    def version(self) -> str:
        return self._sound.version


LABELS: Final = ("order_status", "refund_request", "shipping_question", "other")


def misreading(label: str, confidence: float) -> Callable[[IntentClassifier], IntentClassifier]:
    """Makes a reader that always reads this."""
    return lambda sound: Misreading(sound, label, confidence)


class SpoiledSearch(PolicySearch):
    """A search whose finds are changed before anybody sees them."""

    def __init__(self, change: Callable[[tuple[Passage, ...]], tuple[Passage, ...]]) -> None:
        super().__init__()
        self._change = change

    @override
    def search(self, question: str, *, limit: int = 3) -> tuple[Passage, ...]:
        return self._change(super().search(question, limit=limit))


class SpoiledTable(RefundTable):
    """A table that gives one row, whatever it is asked for."""

    def __init__(self, row: RefundRule) -> None:
        super().__init__()
        self._row = row

    @override
    def row_for(self, facts: RefundFacts) -> RefundRule:
        return self._row
