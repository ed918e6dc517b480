"""Decisions of low confidence: answers that heed it, which are right, and ones that do not.

A library sorts what its readers write. Each case is what a reader writes, and what a classifier
makes of it, once or several times.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel

from examples.order_support.blame_elsewhere import RightAnswer
from examples.order_support.blame_elsewhere_by_model import MODEL
from fishplate import Agent, Prompt, agent, current, each, model_agent, switch, tool, workflow
from fishplate.models.classified import Classified

_THRESHOLD: Final = 0.5


class Wish(BaseModel):
    """What a reader wants, and how sure that is."""

    kind: Literal["renewal", "return", "unclear"]
    confidence: float


class Letter(BaseModel):
    """A reader's letter with what was made of it."""

    wish: Wish


class Sorted(BaseModel):
    """An answer with what it rests on."""

    reply: str
    wish: Wish


@model_agent(MODEL)
def wish(text: str) -> Prompt[Wish]:
    """Reads what a reader wants."""
    return Prompt(system="What does the reader want?", user=text)


@model_agent(MODEL)
def topic(text: str) -> Prompt[Classified[Literal["renewal", "return"]]]:
    """Reads the same as a classifier tells it."""
    return Prompt(system="What is it about?", user=text)


@model_agent(MODEL)
def larger(text: str) -> Prompt[Wish]:
    """Reads it by a larger model."""
    return Prompt(system="What does the reader want? Think.", user=text)


@agent
async def renewal(text: str) -> str:
    """Lends a book for longer."""
    return f"{text}: it is yours for four more weeks."


@agent
async def taken_back(text: str) -> str:
    """Takes a book back."""
    return f"{text}: thank you, it is back."


@agent
async def ask_reader(text: str) -> str:
    """Has somebody write back."""
    return f"{text}: a librarian writes to you today."


@agent
async def by_kind(kind: str) -> str:
    """Does what it is told, and is not told how sure that is."""
    return "It is yours for four more weeks." if kind == "renewal" else "It is back."


@agent
async def by_wish(found: Wish) -> str:
    """Does what it is told, and sees how sure that is."""
    return "A librarian looks at it." if found.confidence < _THRESHOLD else "Done."


@agent
async def enclosed(text: str) -> Letter:
    """Puts an unsure wish into a letter."""
    return Letter(wish=Wish(kind="renewal", confidence=len(text) / 100))


@tool(effect="readonly")
async def shelf_of(kind: str) -> str:
    """Where letters of a kind lie."""
    return f"tray {len(kind)}"


@agent(inline=True)
def gate(found: Wish) -> Literal["ask", "go"]:
    """Whether it is sure enough."""
    return "ask" if found.confidence < _THRESHOLD else "go"


@agent(inline=True)
def topic_gate(found: Classified[Literal["renewal", "return"]]) -> bool:
    """Whether it is sure enough."""
    return found.confidence >= _THRESHOLD


@agent(inline=True)
def lenient_gate(found: Wish) -> Literal["ask", "go"]:
    """Whether it is sure enough for what is no loss."""
    return "ask" if found.confidence < _THRESHOLD / 2 else "go"


@workflow
async def gated(text: str) -> str:
    """Looks at the confidence before a way is taken."""
    found = await wish(text)
    return await switch(("ask", ask_reader(text)), ("go", renewal(text)), on=await gate(found))


@workflow
async def topic_gated(text: str) -> str:
    """Does so with a classification, whose confidence is noted besides."""
    found = await topic(text)
    enough = await topic_gate(found)
    return await switch((True, renewal(text)), (False, ask_reader(text)), on=enough)


@workflow
async def gated_twice(text: str) -> str:
    """Looks at the confidence, finds it enough, and goes by the label then."""
    found = await wish(text)
    enough = await lenient_gate(found)
    by_label = switch(("renewal", renewal(text)), default=taken_back(text), on=found.kind)
    return await switch(("go", by_label), default=ask_reader(text), on=enough)


@workflow
async def routed(text: str) -> str:
    """Goes by the label, whatever the confidence."""
    found = await wish(text)
    return await switch(
        ("renewal", renewal(text)),
        ("return", taken_back(text)),
        ("unclear", ask_reader(text)),
        on=found.kind,
    )


@workflow
async def handed_whole(text: str) -> str:
    """Hands on the wish with its confidence."""
    return await by_wish(await wish(text))


@workflow
async def handed_bare(text: str) -> str:
    """Hands on the label alone."""
    return await by_kind((await wish(text)).kind)


@agent(agents=[wish])
async def asks_back(text: str) -> str:
    """Asks the reader what is meant."""
    found = await wish(text)
    if found.confidence < _THRESHOLD:
        return "Sorry, I am not sure what you mean."
    return f"Noted: {found.kind}."


@agent(agents=[wish])
async def proposes(text: str) -> str:
    """Asks whether it has understood."""
    found = await wish(text)
    return f"Is it about a {found.kind}?"


@agent(agents=[wish])
async def tells_how_sure(text: str) -> str:
    """Tells how sure it is."""
    found = await wish(text)
    return f"{found.kind}, {found.confidence:.0%}"


@agent(agents=[wish])
async def leaves_it(text: str) -> str:
    """Does nothing about what is unsure."""
    found = await wish(text)
    return "A librarian reads it." if found.confidence < _THRESHOLD else f"Noted: {found.kind}."


@agent(agents=[wish], tools=[shelf_of])
async def files_it(text: str) -> str:
    """Puts the letter where others of its kind lie."""
    return await shelf_of((await wish(text)).kind)


@agent(agents=[wish])
async def reads_again(text: str) -> str:
    """Reads once more what it has not understood."""
    found = await wish(text)
    if found.confidence < _THRESHOLD:
        found = await wish(f"The whole letter: {text}")
    return f"Noted: {found.kind}."


@agent(agents=[wish, larger])
async def reads_by_larger(text: str) -> str:
    """Has a larger model read what the small one has not understood."""
    found = await wish(text)
    if found.confidence < _THRESHOLD:
        found = await larger(text)
    return f"Noted: {found.kind}."


@agent(agents=[wish])
async def better_of_two(text: str) -> str:
    """Reads it in two ways, and takes the surer one."""
    found = [await wish(text), await wish(text.upper())]
    return max(found, key=lambda one: one.confidence).kind


@agent(agents=[wish])
async def line_by_line(text: str) -> list[str]:
    """Leaves what is unsure to a librarian, line by line."""
    found = [await wish(line) for line in text.splitlines()]
    return ["later" if one.confidence < _THRESHOLD else one.kind for one in found]


@agent(agents=[wish])
async def with_its_grounds(text: str) -> Sorted:
    """Asks back, and says upon what."""
    return Sorted(reply="Could you say that in other words?", wish=await wish(text))


@agent
async def notes_and_leaves(text: str) -> str:
    """Notes what it believes, and does not act upon it."""
    current().note(label="renewal", confidence=len(text) / 100)
    return "later"


@agent(agents=[wish])
async def blind(text: str) -> str:
    """Does not look."""
    return f"Done: {(await wish(text)).kind}"


@agent(agents=[wish, renewal, taken_back])
async def blind_by_name(text: str) -> str:
    """Calls the agent of that name, and does not look."""
    unit = renewal if (await wish(text)).kind == "renewal" else taken_back
    return await unit(text)


@agent(agents=[wish])
async def blind_line_by_line(text: str) -> list[str]:
    """Does not look, line by line."""
    return [(await wish(line)).kind for line in text.splitlines()]


@agent(agents=[wish])
async def blind_each(text: str) -> list[str]:
    """Does not look, all lines beside each other."""
    return [one.kind for one in await each(wish, text.splitlines())]


@agent(agents=[enclosed])
async def blind_to_a_part(text: str) -> str:
    """Does not look at what stands one level deeper."""
    return f"Done: {(await enclosed(text)).wish.kind}"


@agent
async def notes_and_acts(text: str) -> str:
    """Notes how unsure it is, and answers all the same."""
    current().note(label="renewal", confidence=len(text) / 100)
    return "renewal"


_TEXT: Final = "About my book"
_LINES: Final = "About my book\nIt is late"


def _wish(confidence: float, kind: str = "renewal") -> dict[str, Any]:
    return {"kind": kind, "confidence": confidence}


_LOW: Final = _wish(0.31)
_SURE: Final = _wish(0.97)
_TOPIC: Final[dict[str, Any]] = {"label": "renewal", "confidence": 0.31, "alternatives": []}


def _cases(
    cases: Sequence[tuple[str, Agent[..., Any], str, Sequence[Any]]],
) -> tuple[RightAnswer, ...]:
    return tuple(
        RightAnswer(name=name, asked=asked, given=given, said=said)
        for name, asked, given, said in cases
    )


BY_CONFIDENCE: Final = _cases(
    [
        ("a gate looks at the confidence", gated, _TEXT, [_LOW]),
        ("a gate looks at a classification", topic_gated, _TEXT, [_TOPIC]),
        ("a gate finds it enough", gated_twice, _TEXT, [_LOW]),
        ("the label says that nobody knows", routed, _TEXT, [_wish(0.3, "unclear")]),
        ("the step that acts sees the confidence", handed_whole, _TEXT, [_LOW]),
        ("a body asks back", asks_back, _TEXT, [_LOW]),
        ("a body asks whether it has understood", proposes, _TEXT, [_LOW]),
        ("a body tells how sure it is", tells_how_sure, _TEXT, [_LOW]),
        ("a body leaves it to a person", leaves_it, _TEXT, [_LOW]),
        ("it is read again, with more words", reads_again, _TEXT, [_LOW, _SURE]),
        ("it is read again, and is something else", reads_again, _TEXT, [_wish(0.4), _SURE]),
        ("a larger model reads it the same", reads_by_larger, _TEXT, [_LOW, _SURE]),
        ("a larger model reads it anew", reads_by_larger, _TEXT, [_LOW, _wish(0.9, "return")]),
        ("the surer of two is taken", better_of_two, _TEXT, [_wish(0.2, "return"), _SURE]),
        ("the first of two is the surer", better_of_two, _TEXT, [_SURE, _wish(0.2, "return")]),
        ("both of two say the same", better_of_two, _TEXT, [_LOW, _SURE]),
        ("one line is left to a person", line_by_line, _LINES, [_LOW, _wish(0.9, "return")]),
        ("one of two like lines is left", line_by_line, _LINES, [_SURE, _LOW]),
        ("the grounds of a question stand beside it", with_its_grounds, _TEXT, [_LOW]),
        ("what is noted is not acted upon", notes_and_leaves, _TEXT, []),
    ]
)
FOLLOWED: Final = _cases(
    [
        ("a body does not look", blind, _TEXT, [_LOW]),
        ("a way is taken by an unsure label", routed, _TEXT, [_LOW]),
        ("the label is handed on alone", handed_bare, _TEXT, [_LOW]),
        ("the agent of that name is called", blind_by_name, _TEXT, [_LOW]),
        ("the tool is given the label alone", files_it, _TEXT, [_LOW]),
        ("the first of two lines", blind_line_by_line, _LINES, [_LOW, _wish(0.9, "return")]),
        ("the second of two like lines", blind_line_by_line, _LINES, [_SURE, _LOW]),
        ("the first of two beside each other", blind_each, _LINES, [_LOW, _LOW]),
        ("it stands one level deeper", blind_to_a_part, _TEXT, []),
        ("what is noted is acted upon", notes_and_acts, _TEXT, []),
        ("the second reading is no surer", reads_again, _TEXT, [_LOW, _wish(0.4)]),
    ]
)
"""Each has the verdict `reasoning`."""
