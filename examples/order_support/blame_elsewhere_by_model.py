"""Right answers of other trades, by a language model: blame must find nothing in any of them.

Their words hold numbers that nothing which the model was given holds in that form: it multiplies,
adds up, takes a share, counts, rounds, writes dates and amounts as people do, converts, judges, and
knows the world.
"""

from typing import Final

from pydantic import BaseModel

from examples.order_support.blame_elsewhere import RightAnswer
from fishplate import Prompt, agent, model_agent, tool, workflow

MODEL: Final = "clerk"


class Fact(BaseModel):
    """What somebody looked up, and the question."""

    question: str
    known: str


class Review(BaseModel):
    """What a model makes of a text."""

    label: str
    confidence: float
    stars: int


class Tickets(BaseModel):
    """What a model has understood."""

    count: int
    town: str


@model_agent(MODEL)
def clerk(fact: Fact) -> Prompt[str]:
    """Answers from what is known."""
    return Prompt(system="Answer from what is known.", user=f"{fact.known}\n{fact.question}")


@model_agent(MODEL)
def informed(question: str) -> Prompt[str]:
    """Knows something by its instructions."""
    return Prompt(system="Today is 2026-11-22. A seat costs 40 EUR.", user=question)


@model_agent(MODEL)
def reviewer(text: str) -> Prompt[Review]:
    """Judges a review."""
    return Prompt(system="Judge the review.", user=text)


@model_agent(MODEL)
def reader(text: str) -> Prompt[Tickets]:
    """Reads an order for tickets."""
    return Prompt(system="Read the order.", user=text)


_KNOWN: Final = {
    "What do two lamps cost?": '{"sku": "LAMP", "price": 19.90}',
    "What is the sum?": '{"lines": [12.50, 7.25, 30]}',
    "What do I save?": '{"price": 240, "discount_percent": 15}',
    "What is it with VAT?": '{"net": 50, "vat_percent": 19}',
    "Was kostet das?": '{"total": 1234.5, "currency": "EUR"}',
    "How much is due?": '{"due_cents": 123450, "currency": "USD"}',
    "When does it come?": '{"expected": "2026-11-05"}',
    "When does it start?": '{"start": "2026-03-01T18:30:00Z"}',
    "How many days is that?": '{"from": "2026-11-01", "to": "2026-11-05"}',
    "What is the mean?": '{"marks": [4, 4, 5]}',
    "How long is the film?": '{"minutes": 90}',
    "Which rooms are free?": '{"free": ["blue", "green", "red"]}',
    "How warm is it?": '{"fahrenheit": 68}',
    "How much of it is done?": '{"done": 3, "all": 4}',
    "What is left?": '{"budget": 500, "spent": 120.55}',
    "What becomes of it in three years?": '{"capital": 1000, "interest_percent": 5, "years": 3}',
    "How do I reset it?": '{"manual": "Hold the button, then let go."}',
    "How many inhabitants?": '{"inhabitants": 3700000}',
}


@tool(effect="readonly")
async def look_up(question: str) -> str:
    """What is known about a question, as JSON text."""
    return _KNOWN[question]


@agent(tools=[look_up])
async def known(question: str) -> Fact:
    """Look something up."""
    return Fact(question=question, known=await look_up(question))


@workflow
async def desk(question: str) -> str:
    """Look something up, and answer in words."""
    return await clerk(await known(question))


def _told(name: str, question: str, said: str) -> RightAnswer:
    return RightAnswer(name=name, asked=desk, given=question, said=(said,))


BY_MODEL: Final = (
    _told("a price is multiplied", "What do two lamps cost?", "2 x 19.90 = 39.80 EUR"),
    _told("amounts are added up", "What is the sum?", "Together it is 49.75."),
    _told("a share is taken", "What do I save?", "You save 36 and pay 204."),
    _told("a tax is added", "What is it with VAT?", "50.00 net, 59.50 with VAT."),
    _told("an amount is written as in German", "Was kostet das?", "Das kostet 1.234,50 EUR."),
    _told("cents become dollars", "How much is due?", "$1,234.50 is due."),
    _told("a date is written out", "When does it come?", "On Thursday, 5 November 2026."),
    _told("a time is written as in America", "When does it start?", "03/01/2026 at 6:30 pm."),
    _told("days are counted", "How many days is that?", "That is 4 days."),
    _told("a mean is rounded", "What is the mean?", "It is 4.33."),
    _told("minutes become hours", "How long is the film?", "It takes 1 h 30 min, or 1.5 hours."),
    _told("things are counted", "Which rooms are free?", "3 rooms: blue, green and red."),
    _told("degrees are converted", "How warm is it?", "It is 20 degrees Celsius."),
    _told("a share becomes percent", "How much of it is done?", "75 % is done."),
    _told("one is taken from another", "What is left?", "379.45 is left."),
    _told("interest is compounded", "What becomes of it in three years?", "It becomes 1,157.63."),
    _told("steps are numbered", "How do I reset it?", "1. Hold the button. 2. Let go."),
    _told("a large number is put in words", "How many inhabitants?", "About 3.7 million."),
    RightAnswer(
        name="a price stands in the instructions",
        asked=informed,
        given="What do two seats cost?",
        said=("Two seats cost 80 EUR.",),
    ),
    RightAnswer(
        name="a day is counted from today",
        asked=informed,
        given="Which day is it in a week?",
        said=("29 November 2026.",),
    ),
    RightAnswer(
        name="the model knows the world",
        asked=informed,
        given="How high is Mount Everest?",
        said=("8,849 m, says the survey of 2020.",),
    ),
    RightAnswer(
        name="a judgement is a number",
        asked=reviewer,
        given="The lamp is wonderful, the box was dented.",
        said=({"label": "praise", "confidence": 0.92, "stars": 4},),
    ),
    RightAnswer(
        name="a number stands in words",
        asked=reader,
        given="A dozen tickets to Bonn, please.",
        said=({"count": 12, "town": "Bonn"},),
    ),
)
