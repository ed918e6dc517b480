"""What is missing is asked for, and the run waits for the customer's answer.

One question a run: whoever has not been understood after that writes anew.
"""

from collections.abc import Mapping
from typing import Final

from examples.order_support import extract
from examples.order_support.agents import (
    cached_eta,
    extraction,
    intent,
    logistics,
    order_lookup,
)
from examples.order_support.models import (
    LONGEST_QUESTION,
    Answer,
    Clarification,
    CustomerAnswer,
    Missing,
    Query,
    Reply,
    Unclear,
    Unsettled,
)
from examples.order_support.refunds import refund
from examples.order_support.tools import ask_customer
from examples.order_support.wording import reply_to
from fishplate import TimedOut, agent, route, wait_for, when, workflow

CUSTOMERS_ANSWER_WITHIN: Final = 2 * 86_400.0
"""Seconds that a question stays open."""

QUESTIONS: Final[Mapping[Missing, str]] = {
    "intent": "Is it about the status of an order, about a refund, or about its delivery? "
    "Please tell us a little more.",
    "topic": "We can tell you the status of an order, whether it can be refunded, and where its "
    "parcel is. Which one may we do?",
    "customer": "Who are you? Please tell us the e-mail address of your account, or your name and "
    "zip code.",
    "order": "Which order is it about? Its number looks like #W and seven digits.",
    "single_order": "You name several orders. Which one shall we look at first?",
    "reason": "Why shall it go back: was it damaged, was it late, was it a wrong item, or did you "
    "change your mind?",
}


@agent(version="1.0.0", inline=True)
def question(unclear: Unclear, query: Query) -> Reply:
    """Ask for what is missing, in words for the channel."""
    return reply_to(Clarification(question=QUESTIONS[unclear.missing]), query.channel)


@agent(version="1.0.0", inline=True)
def fuller_query(unclear: Unclear, query: Query, answer: CustomerAnswer) -> Query:
    """Put an answer beside what was said before; what order it names is the one that counts."""
    customer = query.customer if answer.customer is None else answer.customer
    if unclear.missing == "customer":  # who somebody is says nothing about what is wanted
        return query.model_copy(update={"customer": customer})
    before, said = query.text, answer.text
    if named := extract.order_ids(said):
        before = extract.replace_order_ids(before, "it")
        said = f"{extract.replace_order_ids(said, 'it')}\nIt is order {' and '.join(named)}"
    # What was said last weighs most, should it be too much.
    text = f"{before}\n{said}"[-LONGEST_QUESTION:]
    return Query(text=text, channel=query.channel, customer=customer)


@agent(version="1.0.0", inline=True)
def still_unclear(unclear: Unclear) -> Unsettled:  # noqa: ARG001 -- the case is all there is to know
    """Ask no second time."""
    return Unsettled(why="unclear")


@agent(version="1.0.0", inline=True)
def unanswered(late: TimedOut) -> Unsettled:  # noqa: ARG001 -- the case is all there is to know
    """Wait no longer."""
    return Unsettled(why="late")


@workflow(version="1.0.0")
async def answered(unclear: Unclear, query: Query, said: CustomerAnswer) -> Answer:
    """Go on with what the customer has answered."""
    fuller = await fuller_query(unclear, query, said)
    request = await extraction(fuller, await intent(fuller))
    return await route(
        order_lookup, refund, logistics.or_else(cached_eta), still_unclear, on=request
    )


@workflow(version="2.0.0", tools=[ask_customer])
async def clarify(unclear: Unclear, query: Query) -> Answer:
    """Ask for what is missing, and wait for the answer."""
    await ask_customer(await question(unclear, query))
    said = await wait_for("answer", CustomerAnswer, within=CUSTOMERS_ANSWER_WITHIN)
    return await route(
        when(CustomerAnswer, lambda answer: answered(unclear, query, answer)),
        unanswered,
        on=said,
    )
