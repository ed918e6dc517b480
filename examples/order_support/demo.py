"""Answers a day's worth of customers: `python -m examples.order_support.demo`.

Each message is shown with the way it took, the reply, how long it took and the whole trace. Some
runs wait: for a lead who has to agree to a refund, or for a customer who has been asked.

The demo needs no key and no network: the model, the database, the carrier's service and the payment
service run on this machine. Database and store are temporary ones, and the day is always the same,
so only the milliseconds differ.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent
from typing import Final

from examples.order_support.app import make_app, start_carrier
from examples.order_support.carrier import Carrier, FaultMode
from examples.order_support.intents import IntentClassifier
from examples.order_support.models import (
    Channel,
    CustomerAnswer,
    EmailReply,
    Query,
    RefundDue,
    Reply,
)
from examples.order_support.outbox import Outbox
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.refunds import SUPPORT_LEAD
from examples.order_support.shop import Shop
from examples.order_support.shop_clock import ShopClock
from examples.order_support.shop_rules import EmailIdentity, Identity, NameZipIdentity
from examples.order_support.tools import cancel_pending_order
from examples.order_support.workflow import support
from fishplate import App, FishplateError, Principal, Run
from fishplate.traces.recorder import SpanTree
from fishplate.traces.text import render_tree

LIAM: Final = EmailIdentity(email="liam.thomas9081@example.com")
EMMA: Final = NameZipIdentity(first_name="Emma", last_name="Kim", zip="46214")

AT_A_LOSS: Final = CustomerAnswer(text="I do not know.")
LEAD: Final = Principal(name="ann", roles=frozenset({SUPPORT_LEAD}))

_MINUTE: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One message, and what the world is like when it comes.

    Attributes:
        later: Seconds that have gone by since the message before, beside what that one took.
        carrier: How the carrier's service behaves.
        cancelled_before: Id of a pending order that the desk cancels before the message comes.
        answer: What the customer says if there is something to ask.
        note: What the lead writes who agrees to the refund, if somebody has to.
    """

    title: str
    customer: Identity | None
    text: str
    channel: Channel = "chat"
    later: float = 0.0
    carrier: FaultMode = "healthy"
    cancelled_before: str | None = None
    answer: CustomerAnswer = AT_A_LOSS
    note: str = "agreed"

    @property
    def query(self) -> Query:
        """The message as the workflow takes it."""
        return Query(text=self.text, channel=self.channel, customer=self.customer)


SCENES: Final = (
    Scene(
        title="The status of an order, for a customer known by e-mail",
        customer=LIAM,
        text="What is the status of my order #W6231698?",
    ),
    Scene(
        title="The same half a minute later: the lookup is answered by the cache",
        customer=LIAM,
        text="Sorry, what was the status of order w6231698 again?",
        channel="sms",
        later=_MINUTE / 2,
    ),
    Scene(
        title="A refund in time, by e-mail",
        customer=LIAM,
        text="Part of order #W6397299 arrived broken. I want my money back.",
        channel="email",
    ),
    Scene(
        title="A large refund less a restocking fee: the run waits until a lead agrees",
        customer=EMMA,
        text="Please refund order W4646940, I changed my mind.",
        channel="sms",
        note="the fee is right",
    ),
    Scene(
        title="The same again: a refund is made once",
        customer=EMMA,
        text="Please refund order W4646940, I changed my mind.",
        note="asked again, it seems",
    ),
    Scene(
        title="A refund too late",
        customer=LIAM,
        text="I changed my mind about order #W8488728 and want a refund.",
    ),
    Scene(
        title="A refund without a reason: the customer is asked, and the run waits for the answer",
        customer=LIAM,
        text="I want a refund for order #W8488728.",
        answer=CustomerAnswer(text="One of the things was damaged."),
    ),
    Scene(
        title="A parcel, and the carrier answers",
        customer=LIAM,
        text="Where is my parcel? I would like to track order #W6231698.",
    ),
    Scene(
        title="Ten minutes later the carrier is too slow: what it said last",
        customer=LIAM,
        text="Where is my parcel now? I would like to track order #W6231698.",
        later=10 * _MINUTE,
        carrier="slow",
    ),
    Scene(
        title="The carrier is down and has never been asked about this parcel: an estimate",
        customer=EMMA,
        text="Which day will the courier deliver order #W2768383?",
        channel="email",
        carrier="down",
    ),
    Scene(
        title="The carrier is still down: five failures in a row open its breaker",
        customer=EMMA,
        text="When will the courier deliver order #W2768383?",
        channel="sms",
        carrier="down",
    ),
    Scene(
        title="Nobody asks the carrier any more: its last answer, at once",
        customer=LIAM,
        text="Where is my parcel now? I would like to track order #W6231698.",
        channel="sms",
        carrier="down",
    ),
    Scene(
        title="A minute later the carrier is asked again, by one probe",
        customer=LIAM,
        text="Where is my parcel now? I would like to track order #W6231698.",
        later=_MINUTE,
    ),
    Scene(
        title="A second probe succeeds, and the breaker closes by itself",
        customer=EMMA,
        text="Which day will the courier deliver order #W2768383?",
        channel="email",
    ),
    Scene(
        title="The carrier answers nonsense, and the reply is a short message",
        customer=EMMA,
        text="Which day will the courier deliver order #W9538924?",
        channel="sms",
        carrier="garbage",
    ),
    Scene(
        title="The order of another customer",
        customer=EMMA,
        text="What is the status of my order #W6231698?",
    ),
    Scene(
        title="An order that does not exist: the same words",
        customer=EMMA,
        text="What is the status of my order #W0000001?",
    ),
    Scene(
        title="A message that could mean anything, until the answer",
        customer=EMMA,
        text="So much trouble with you this week!",
        answer=CustomerAnswer(text="What is the status of order #W2768383?"),
    ),
    Scene(
        title="A customer whom nobody has identified, until the answer",
        customer=None,
        text="What is the status of my order #W6231698?",
        answer=CustomerAnswer(text="It's me, Liam.", customer=LIAM),
    ),
    Scene(
        title="An order that has not been sent",
        customer=LIAM,
        text="Is order #W1654931 still pending, or has it been processed?",
    ),
    Scene(
        title="The desk has cancelled it since: the write made the cache forget",
        customer=LIAM,
        text="What is the status of order #W1654931 now?",
        cancelled_before="#W1654931",
    ),
)


def main(
    write: Callable[[str], None] = print,
    make_classifier: Callable[[], IntentClassifier] = IntentClassifier,
) -> int:
    """Play every scene.

    Args:
        write: Takes each block of text.
        make_classifier: Makes the reader of intents.

    Returns:
        0 if every message was answered, else 1.
    """
    started = time.perf_counter()
    classifier = make_classifier()
    version = classifier.version  # trains it, so that the first message need not wait
    write(f"Intents are read by {version}, trained in {time.perf_counter() - started:.1f} s.")
    if classifier.notice is not None:
        write(classifier.notice)
    with TemporaryDirectory(prefix="order_support-") as folder:
        stage = _Stage(Path(folder), classifier)
        states = asyncio.run(stage.play(SCENES, write))
    counts = Counter(states)
    told = ", ".join(f"{counts[state]} {state}" for state in ("succeeded", "degraded", "failed"))
    write(f"{len(states)} messages in {time.perf_counter() - started:.1f} s: {told}.")
    return 0 if set(states) <= {"succeeded", "degraded"} else 1


class _Stage:
    """The app with a clock and a carrier that the scenes may touch, and people who answer."""

    def __init__(self, folder: Path, classifier: IntentClassifier) -> None:
        self._clock = ShopClock()
        self._carrier: Carrier = start_carrier()
        self._outbox = Outbox(folder / "outbox")
        self._app: App = make_app(
            store=f"sqlite:///{folder / 'runs.db'}",
            shop=lambda: Shop.open(str(folder / "shop.db")),
            carrier=lambda: self._carrier,
            payments=PaymentProcess,
            outbox=lambda: self._outbox,
            classifier=lambda: classifier,
            clock=self._clock,
        )

    async def play(self, scenes: Sequence[Scene], write: Callable[[str], None]) -> list[str]:
        """Play the scenes one by one; the state in which each ended."""
        states: list[str] = []
        async with self._app:
            for number, scene in enumerate(scenes, start=1):
                run = await self._run(scene)
                waited = [line async for line in self._attended(scene, run)]
                write("\n".join(self._told(number, scene, run, waited, await _outcome(run))))
                states.append(run.state)
        return states

    async def _run(self, scene: Scene) -> Run[Reply]:
        if scene.cancelled_before is not None:
            desk = self._app.start(cancel_pending_order, scene.cancelled_before, "no longer needed")
            await desk.result()
        self._clock.skip(scene.later)
        self._carrier.set_mode(scene.carrier)
        return self._app.start(support, scene.query)

    async def _attended(self, scene: Scene, run: Run[Reply]) -> AsyncIterator[str]:
        """See a run to its end: answer what it waits for; what there is to tell of that."""
        while await run.ended_or_waiting() == "waiting":
            (wait,) = await self._app.waits(run.id)
            if wait.kind == "approval":
                due = RefundDue.model_validate_json(wait.arguments)
                yield f"   waits     for a {' or '.join(wait.roles)}: {due.refund_amount:.2f}"
                yield f"   {LEAD.name:<9} agrees: {scene.note}"
                await self._app.approve(run.id, wait.key, principal=LEAD, note=scene.note)
            else:
                question = await asyncio.to_thread(self._outbox.message, run.id)
                assert question is not None, "who is waited for has been asked"
                yield f"   waits     {_spelled(question)}"
                who = _named(scene.answer.customer or scene.customer)
                yield f"   answer    {who}: {scene.answer.text}"
                await self._app.signal(run.id, wait.name, scene.answer)

    def _told(
        self, number: int, scene: Scene, run: Run[Reply], waited: list[str], outcome: str
    ) -> Iterator[str]:
        # A run that has waited was walked again: the last walk is the one that came to its end.
        tree = next(tree for tree in self._app.trace(run) if tree.span.kind == "workflow")
        milliseconds = (tree.span.end_ns - tree.span.start_ns) / 1e6
        yield f"\n{number}. {scene.title}"
        if scene.carrier != "healthy":
            yield f"   carrier   {scene.carrier}"
        yield f"   customer  {_named(scene.customer)}: {scene.text}"
        yield from waited
        yield f"   route     {' → '.join(_way(tree))}"
        yield f"   state     {run.state} in {milliseconds:.1f} ms"
        yield f"   {scene.channel:<9} {indent(outcome, ' ' * 13).lstrip()}"
        yield "   trace     " + indent(render_tree([tree]), " " * 13).lstrip()


async def _outcome(run: Run[Reply]) -> str:
    try:
        reply = await run.result()
    except FishplateError as error:
        return f"[{error.code}] {error.message}"
    return _spelled(reply)


def _spelled(reply: Reply) -> str:
    return f"{reply.subject}\n\n{reply.text}" if isinstance(reply, EmailReply) else reply.text


def _way(tree: SpanTree) -> list[str]:
    """What the workflow itself called, in the order in which it began; not what was replayed."""
    spans = [child.span for child in tree.children if child.span.kind in {"agent", "workflow"}]
    return [span.name for span in spans if not (span.attributes or {}).get("replayed")]


def _named(customer: Identity | None) -> str:
    match customer:
        case EmailIdentity():
            return customer.email
        case NameZipIdentity():
            return f"{customer.first_name} {customer.last_name}, {customer.zip}"
        case None:
            return "(unknown)"


if __name__ == "__main__":
    sys.exit(main())
