"""The demo answers every message, tells each way, and says so when the neural model is absent."""

import functools
import re

import pytest

from examples.order_support.demo import SCENES, main
from examples.order_support.intents import IntentClassifier
from fishplate.core.errors import MissingExtraError
from fishplate.models import MiniLmEncoder
from tests.examples.stage import trained_classifier


@functools.cache
def _played() -> tuple[int, list[str]]:
    """Play the demo once for all tests of it: the exit code, and the blocks that were written."""
    written: list[str] = []
    code = main(written.append, trained_classifier)
    return code, written


def test_every_message_is_answered() -> None:
    """At least ten messages, and the last line counts how they ended."""
    code, written = _played()

    assert code == 0
    assert len(SCENES) >= 10
    assert re.fullmatch(
        r"21 messages in \d+\.\d s: 16 succeeded, 5 degraded, 0 failed\.", written[-1]
    )


@pytest.mark.parametrize(
    ("title", "route", "words"),
    [
        ("The status of an order", "order_lookup", "is being sent"),
        # Its age is half a minute of the demo's clock, and the seconds that the demo took.
        ("The same half a minute later", "order_lookup", "cache hit, 3"),
        ("A refund in time", "refund", "1800.96"),
        ("A large refund less a restocking fee", "refund", "2519.60 has gone as store credit"),
        ("The same again: a refund is made once", "refund", "has been asked for before"),
        ("A refund too late", "refund", "within 30 days of delivery"),
        ("A refund without a reason", "clarify", "was it damaged"),
        ("A refund without a reason", "clarify", "the full 245.99 goes back"),
        ("A parcel, and the carrier answers", "logistics", "The carrier says"),
        ("Ten minutes later the carrier is too slow", "logistics → cached_eta", "last answer"),
        ("The carrier is down", "logistics → cached_eta", "Our own estimate"),
        ("The carrier is still down", "logistics → cached_eta", "decision breaker.opened"),
        ("Nobody asks the carrier any more", "logistics → cached_eta", "cached 10 min ago"),
        ("A minute later the carrier is asked", "logistics", "decision breaker.half_opened"),
        ("A second probe succeeds", "logistics", "decision breaker.closed"),
        ("The carrier answers nonsense", "logistics → cached_eta", "carrier_answer_invalid"),
        ("A message that could mean anything", "clarify", "tell us a little more"),
        ("A message that could mean anything", "clarify", "Order #W2768383 is being sent"),
        ("A customer whom nobody has identified", "clarify", "Who are you?"),
        ("A customer whom nobody has identified", "clarify", "Order #W6231698 is being sent"),
        ("An order that has not been sent", "order_lookup", "is pending"),
        ("The desk has cancelled it since", "order_lookup", "was cancelled"),
    ],
)
def test_a_scene_takes_its_way(title: str, route: str, words: str) -> None:
    """Each scene shows what its title says: the agents that answered, and their words."""
    (block,) = [block for block in _played()[1] if title in block]

    assert f"route     intent → extraction → {route} → response_composer\n" in block
    assert words in block
    assert re.search(r"state     (succeeded|degraded) in \d+\.\d ms", block)
    assert re.search(r"trace     workflow support +\d+\.\d ms", block)


def test_a_large_refund_shows_who_agreed() -> None:
    """The amount that waits, and the lead who agreed with a word about it."""
    (block,) = [block for block in _played()[1] if "A large refund" in block]

    assert "   waits     for a support_lead: 2519.60\n   ann       agrees: the fee" in block


def test_anothers_order_reads_as_an_unknown_one() -> None:
    """The two scenes differ in the order's id and nothing else that a customer sees."""
    replies = [
        re.findall(r"^   chat +(.*)$", block, re.MULTILINE)
        for block in _played()[1]
        if "another customer" in block or "does not exist" in block
    ]

    assert len(replies) == 2
    assert replies[0] == replies[1]


def test_without_the_neural_model_the_demo_says_so() -> None:
    """Every message is still answered, and degraded, since intents are told by spelling."""
    written: list[str] = []

    def absent() -> MiniLmEncoder:
        raise MissingExtraError("onnxruntime", "local")

    code = main(written.append, lambda: IntentClassifier(absent))

    assert code == 0
    assert written[1].startswith("Intents are told by spelling, not by meaning")
    assert "pip install 'fishplate[local]'" in written[1]
    assert written[-1].endswith("0 succeeded, 21 degraded, 0 failed.")
