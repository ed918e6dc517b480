"""Answers that say another number than the passages that they should rest on."""

import asyncio
from pathlib import Path

import pytest

from fishplate import App, agent, current, tool
from fishplate.core.current import Passage
from fishplate.traces.contrary import contrary_to
from fishplate.traces.explain import explain
from tests.traces.reading import only_trace


@tool(effect="readonly")
async def contract_of(name: str) -> str:
    """What somebody has agreed on."""
    return f"Leave of {name} is 30 days."


@agent(tools=[contract_of])
async def leave_of(name: str) -> str:
    """Finds the rule, and answers from the contract if there is a name."""
    found = [Passage(id="rule", score=0.9, text="Leave is 28 days.")]
    current().retrieved("rules", found, used=[], query="leave", at_least=0.5)
    return await contract_of(name) if name else "Leave is 30 days."


@pytest.mark.parametrize(("name", "verdict"), [("", "retrieval"), ("Ann", "none")])
def test_an_answer_from_a_tool_is_not_held_against_the_search(
    tmp_path: Path, name: str, verdict: str
) -> None:
    """Whoever has the number from a tool need not have it from a passage."""
    url = f"sqlite:///{tmp_path}/traces.db"

    async def main() -> None:
        async with App(leave_of, traces=url) as app:
            await app.start(leave_of, name).result()

    asyncio.run(main())
    trace = only_trace(url)
    assert explain(trace).verdict == verdict


def sign(passage: str, said: str, query: str = "", besides: str = "") -> bool | None:
    """Whether what speaks against an answer is a doubt only; `None` if nothing does."""
    found = contrary_to([passage], said, query, read_besides=besides)
    return None if found is None else found.is_doubt


@pytest.mark.parametrize(
    ("passage", "said"),
    [
        ("Leave is 28 days a year.", "Leave is 30 days a year."),
        ("The discount for members is 15 %.", "The discount for members is 12 %."),
        ("Der Rabatt beträgt 15 %.", "Der Rabatt beträgt 12%."),
        ("Shipping to Austria costs 5 \u20ac.", "Shipping to Austria costs 7 \u20ac."),
    ],
)
def test_another_number_of_the_same_is_a_fault(passage: str, said: str) -> None:
    """Days, shares and prices are compared where both sentences have a word in common."""
    assert sign(passage, said) is False


@pytest.mark.parametrize(
    ("passage", "said"),
    [
        ("Each parcel weighs 2 kg.", "Each parcel weighs 3 kg."),
        ("Das Kabel misst 50 cm.", "Das Kabel misst 1,5 m."),
        ("The course takes 8 h.", "The course takes 6 h."),
    ],
)
def test_another_measure_is_a_doubt(passage: str, said: str) -> None:
    """Of two things that are measured each may have its own, in whichever unit."""
    assert sign(passage, said) is True


@pytest.mark.parametrize(
    ("passage", "said"),
    [
        ("Each parcel weighs 2 kg.", "Each parcel weighs 2000 g."),
        ("The cable is 1.5 m long.", "The cable is 150 cm long."),
        ("Das Kabel misst 1,5 m.", "Das Kabel misst 1.5 m."),
        ("A room is 20 m high.", "A room has 30 m\u00b2."),
        ("Each parcel weighs 2 kg.", "It comes at 3 in the morning."),
    ],
)
def test_the_same_in_another_unit_and_another_thing_are_no_contradiction(
    passage: str, said: str
) -> None:
    """What measures the same is compared in one unit, and nothing else with it."""
    assert sign(passage, said) is None


@pytest.mark.parametrize(
    ("passage", "said"),
    [
        ("Leave is between 20 and 30 days.", "Your leave is 25 days."),
        ("Leave is at least 20 days.", "Your leave is 24 days."),
        ("Leave is 28 days.", "Leave is not 30 days."),
        ("Leave is 25 days. Seniors get 5 days more.", "Leave of seniors is 30 days."),
        ("Der Urlaub beträgt mindestens 20 Tage.", "Der Urlaub beträgt 24 Tage."),
    ],
)
def test_a_limit_a_denial_and_what_follows_are_doubts(passage: str, said: str) -> None:
    """A number within limits, one that is denied, or the sum of two speaks against nothing."""
    assert sign(passage, said) is True


def test_what_somebody_else_has_told_is_no_contradiction() -> None:
    """A tool or another search may have told the other number."""
    assert sign("Leave is 28 days.", "Leave is 30 days.", besides="The contract says 30.") is None
