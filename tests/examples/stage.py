"""The example's app as the tests run it: the clock stands still, the carrier can be disturbed.

Runs are kept in a store beside the database. Where one waits, somebody answers at once: a lead
agrees, and a customer who is asked says what the test lets them say.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from examples.order_support.app import make_app
from examples.order_support.carrier import Carrier
from examples.order_support.delivery import Parcel, known_parcels
from examples.order_support.intents import IntentClassifier
from examples.order_support.models import Channel, CustomerAnswer, Query, Reply
from examples.order_support.outbox import Outbox
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.refunds import SUPPORT_LEAD
from examples.order_support.shop import Shop
from examples.order_support.shop_rules import EmailIdentity, Identity
from examples.order_support.workflow import support
from fishplate import Agent, App, Principal, Reason, Run
from fishplate.core.clock import FixedClock
from fishplate.core.events import Span
from fishplate.models.model import Model

NOON = datetime(2026, 11, 1, 17, tzinfo=UTC)
"""Noon by the shop's clock, on the day that its data stands for."""

LIAM = EmailIdentity(email="liam.thomas9081@example.com")
LEAD = Principal(name="ann", roles=frozenset({SUPPORT_LEAD}))
AT_A_LOSS = CustomerAnswer(text="I do not know.")
LIAMS_PROCESSED, LIAMS_PENDING = "#W6231698", "#W1654931"
EMMAS_PROCESSED = "#W2768383"


@functools.cache
def trained_classifier() -> IntentClassifier:
    """Train the reader of intents, once for all tests of a process."""
    classifier = IntentClassifier()
    assert classifier.version
    return classifier


@functools.cache
def all_parcels() -> dict[str, Parcel]:
    """Derive the carrier's book, once for all tests of a process."""
    return known_parcels()


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """An app, not entered yet, and the parts of its world that a test may touch.

    Attributes:
        clock: Stands at `NOON` unless another time is given.
        carrier: Runs while the app is entered.
        outbox: Holds the questions to customers.
        payments: A process that starts with the first refund.
    """

    app: App
    clock: FixedClock
    carrier: Carrier
    outbox: Outbox
    payments: PaymentProcess

    async def ask(
        self,
        unit: Agent[[Query], Reply],
        text: str,
        customer: Identity | None = LIAM,
        channel: Channel = "chat",
        answer: CustomerAnswer = AT_A_LOSS,
    ) -> "Asked":
        """Ask a question; the run has to succeed, degraded or not."""
        run = self.app.start(unit, Query(text=text, channel=channel, customer=customer))
        while await run.ended_or_waiting() == "waiting":
            await self.attend(run, answer)
        reply = await run.result()
        return Asked(reply=reply, state=run.state, degraded=run.degraded, spans=self.app.spans(run))

    async def attend(self, run: Run[Reply], answer: CustomerAnswer = AT_A_LOSS) -> None:
        """Answer what a run waits for, so that it goes on."""
        (wait,) = await self.app.waits(run.id)
        if wait.kind == "approval":
            await self.app.approve(run.id, wait.key, principal=LEAD)
        else:
            await self.app.signal(run.id, wait.name, answer)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What came of a question."""

    reply: Reply
    state: str
    degraded: Sequence[Reason]
    spans: Sequence[Span]

    @property
    def agents(self) -> set[str]:
        """The names of the agents that ran."""
        return {span.name for span in self.spans if span.kind == "agent"}

    def facts(self, name: str) -> list[dict[str, object]]:
        """What was noted on each span of this name, in the order in which they ended."""
        return [dict(span.attributes or {}) for span in self.spans if span.name == name]


def make_stage(
    database: Path,
    *,
    now: datetime = NOON,
    parcels: Mapping[str, Parcel] | None = None,
    models: Mapping[str, Model] | None = None,
    workflow: Agent[[Query], Reply] = support,
    payments: PaymentProcess | None = None,
    folder: Path | None = None,
    traces: str | None = None,
) -> Stage:
    """Put the example's app together over a database file.

    Args:
        database: Filled at the first use if it is new.
        now: At which the clock stands.
        parcels: The carrier's book; all parcels of the shop's data if none is given.
        models: Language models by alias.
        workflow: Another make of `support`.
        payments: The payment service; one of its own if none is given.
        folder: Of runs and questions; a new one beside the database if none is given.
        traces: URL of the store of their traces; nothing keeps them if none is given.
    """
    clock, carrier = FixedClock(now), Carrier(all_parcels() if parcels is None else parcels)
    folder = folder or Path(mkdtemp(dir=database.parent))
    outbox, payments = Outbox(folder / "outbox"), payments or PaymentProcess()
    app = make_app(
        workflow=workflow,
        store=f"sqlite:///{folder / 'runs.db'}",
        traces=traces,
        payments=lambda: payments,
        outbox=lambda: outbox,
        shop=lambda: Shop.open(str(database)),
        carrier=lambda: carrier,
        classifier=trained_classifier,
        clock=clock,
        models=models,
    )
    return Stage(app=app, clock=clock, carrier=carrier, outbox=outbox, payments=payments)
