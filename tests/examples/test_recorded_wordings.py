"""What a small model made of the replies of order support, and what it should have made of them.

`wordings/README.md` says where the recordings come from.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from examples.order_support.grounding import ungrounded
from examples.order_support.wording import reply_to
from tests.examples.test_order_support_wording import ANSWERS

WORDINGS: Final = Path(__file__).with_name("wordings")


def recorded(name: str) -> list[dict[str, Any]]:
    """The lines of a file."""
    lines = (WORDINGS / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


HALLUCINATED: Final = recorded("hallucinated.jsonl")
FAITHFUL: Final = recorded("faithful.jsonl")
INVENTED: Final = recorded("invented.jsonl")
STOPPED: Final = [one for one in INVENTED if "missed" not in one]
MISSED: Final = [one for one in INVENTED if "missed" in one]
SENT: Final = [one for one in FAITHFUL if one["sent"]]
REFUSED: Final = [one for one in FAITHFUL if not one["sent"]]


@pytest.mark.parametrize("one", HALLUCINATED, ids=[one["wrong"] for one in HALLUCINATED])
def test_a_recorded_hallucination_is_stopped(one: dict[str, Any]) -> None:
    """No customer is sent what a small model made up."""
    assert ungrounded(one["text"], one["facts"])


@pytest.mark.parametrize("one", SENT, ids=[one["text"][:60] for one in SENT])
def test_a_faithful_rewrite_is_sent(one: dict[str, Any]) -> None:
    """Other words for the same facts pass, whether a model or a person wrote them."""
    assert ungrounded(one["text"], one["facts"]) == ()


@pytest.mark.parametrize("one", REFUSED, ids=[one["text"][:60] for one in REFUSED])
def test_what_caution_costs_is_known(one: dict[str, Any]) -> None:
    """These are faithful too, with words that are not listed: the template is sent instead."""
    assert ungrounded(one["text"], one["facts"])


@pytest.mark.parametrize("one", STOPPED, ids=[one["text"][:60] for one in STOPPED])
def test_an_invented_sentence_of_the_words_of_the_facts_is_stopped(one: dict[str, Any]) -> None:
    """The words of the facts and kind words, put together to say something else, are not sent."""
    assert ungrounded(one["text"], one["facts"])


@pytest.mark.parametrize("one", MISSED, ids=[one["missed"] for one in MISSED])
def test_what_the_check_misses_is_known(one: dict[str, Any]) -> None:
    """These are wrong and would be sent; whoever stops one takes its `missed` away."""
    assert ungrounded(one["text"], one["facts"]) == ()


def test_the_invented_sentences_are_many_and_different() -> None:
    """No two are the same, and few are missed."""
    invented = {(one["facts"], one["text"]) for one in INVENTED}

    assert len(invented) == len(INVENTED)
    assert len(STOPPED) > 10 * len(MISSED)


def test_the_recordings_are_many_and_different() -> None:
    """There are at least twenty of each, no two are the same, and none is on both sides."""
    hallucinated = {(one["facts"], one["text"]) for one in HALLUCINATED}
    faithful = {(one["facts"], one["text"]) for one in FAITHFUL}

    assert len(hallucinated) == len(HALLUCINATED) >= 20
    assert len(faithful) == len(FAITHFUL)
    assert len(SENT) >= 20
    assert not hallucinated & faithful


def test_every_reply_of_the_example_is_grounded_in_itself() -> None:
    """A model that changes nothing is never refused, whatever there is to say."""
    for answer in ANSWERS:
        for channel in ("chat", "sms"):
            text = reply_to(answer, channel).text
            assert ungrounded(text, text) == ()


@pytest.mark.parametrize("one", SENT, ids=[one["text"][:60] for one in SENT])
def test_a_faithful_rewrite_of_another_order_is_stopped(one: dict[str, Any]) -> None:
    """The words may be right: they are another customer's."""
    others = one["facts"].replace("#W", "#V")

    assert one["facts"] == others or "#W" not in one["text"] or ungrounded(one["text"], others)
