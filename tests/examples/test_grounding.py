"""A rewrite says what the facts say, in other words, or it is not sent."""

import pytest

from examples.order_support.grounding import ungrounded
from examples.order_support.wording_doubts import misplaced, unsaid

STATUS = "Order #W6231698 is being sent. It holds 2 items for 512.40: Desk Lamp, Wall Clock."
NOT_SENT = "Order #W1654931 is pending and has not been sent yet. It holds 1 item for 99.00: Mug."
REFUND = (
    "Order #W6397299 was delivered 4 days ago, damaged: 230.00 can go back to the original payment "
    "method. No money has moved yet."
)
REFUSED = "Order #W8488728 was delivered 40 days ago, so it cannot be returned."
CARRIER = "The carrier says: order #W6231698 is on its way and expected on 2026-11-04."

FAITHFUL = (
    (STATUS, "Good news! Your order #W6231698 is being sent: a Desk Lamp, a Wall Clock, 512.40."),
    (STATUS, "We are sending order #W6231698 with 2 items for 512.40."),
    (STATUS, "Hello! Order #W6231698 is being sent. In it: Desk Lamp and Wall Clock."),
    (STATUS, "Thank you for asking: #W6231698 is being sent."),
    (NOT_SENT, "Your order #W1654931 is still pending and has not been sent yet."),
    (NOT_SENT, "We have not sent order #W1654931 yet; it is pending. It holds 1 item for 99.00."),
    (NOT_SENT, "Hi! Your Mug for 99.00 is pending in order #W1654931, so it isn't sent yet."),
    (NOT_SENT, "Order #W1654931 is pending. It has not been sent."),
    (REFUND, "We are sorry that it was damaged. 230.00 can go back. No money has moved yet."),
    (
        REFUND,
        (
            "For order #W6397299, 230.00 can go back to the original payment method; no money "
            "has moved yet."
        ),
    ),
    (REFUND, "Since #W6397299 was damaged, 230.00 can go back. No money has moved so far."),
    (REFUND, "Delivered 4 days ago and damaged: 230.00 can go back, and no money has moved yet."),
    (
        REFUSED,
        "We are sorry, but order #W8488728 was delivered 40 days ago and cannot be returned.",
    ),
    (REFUSED, "After 40 days order #W8488728 can't be returned."),
    (REFUSED, "Sadly we cannot take #W8488728 back: it was delivered 40 days ago."),
    (REFUSED, "Order #W8488728 cannot be returned, as it was delivered 40 days ago."),
    (CARRIER, "Your order #W6231698 is on its way. The carrier expects it on 2026-11-04."),
    (CARRIER, "According to the carrier, #W6231698 is expected on 2026-11-04."),
    (CARRIER, "Your parcel is on its way, and the carrier expects it on 2026-11-04!"),
    (CARRIER, "The carrier expects order #W6231698 on 2026-11-04."),
)
MADE_UP = (
    (STATUS, "Order #W6231699 is being sent.", "w6231699"),
    (STATUS, "Order #W6231698 was delivered.", "deliver"),
    (STATUS, "Order #W6231698 is being sent and arrives tomorrow.", "tomorrow"),
    (STATUS, "It holds 3 items for 512.40.", "3"),
    (STATUS, "It holds three items for 512.40.", "3"),
    (STATUS, "Order #W6231698 for 521.40 is being sent.", "521.40"),
    (STATUS, "Order #W6231698 is being sent, and delivery is free of cost.", "free"),
    (NOT_SENT, "Your order #W1654931 has been sent.", "missing"),
    (
        NOT_SENT,
        "Order #W1654931 is pending and has not been sent yet; we ship it on Monday.",
        "monday",
    ),
    (NOT_SENT, "Order #W1654931 was cancelled and not sent.", "cancel"),
    (REFUND, "Your refund of 230.00 is not approved yet; no money has moved.", "approv"),
    (REFUND, "We have transferred 230.00 to the original payment method.", "transfer"),
    (REFUND, "230.00 can go back as store credit. No money has moved yet.", "credit"),
    (REFUND, "230.00 can go back to the original payment method.", "missing"),
    (REFUSED, "Yes, order #W8488728 can be returned.", "yes"),
    (REFUSED, "Order #W8488728 was delivered 40 days ago and can be returned.", "missing"),
    (REFUSED, "Order #W8488728 cannot be returned after 30 days.", "30"),
    (CARRIER, "Order #W6231698 is expected on 2026-11-05.", "2026-11-05"),
    (CARRIER, "We guarantee that #W6231698 comes on 2026-11-04.", "guarante"),
    (CARRIER, "Order #W6231698 is lost; the carrier says so.", "lost"),
)


@pytest.mark.parametrize(("facts", "text"), FAITHFUL)
def test_a_faithful_rewrite_passes(facts: str, text: str) -> None:
    """Other words for the same facts are sent."""
    assert ungrounded(text, facts) == ()


@pytest.mark.parametrize(("facts", "text", "told"), MADE_UP)
def test_what_is_made_up_is_stopped(facts: str, text: str, told: str) -> None:
    """An id, a number, a date, an event or a promise beyond the facts is named."""
    assert told in " ".join(ungrounded(text, facts))


PENDING = (
    "Order #W5918442 has not been sent yet, so there is nothing to return. It can still be "
    "cancelled."
)
SENT = "Order #W2611340 is being sent. It can be returned once it has been delivered."


@pytest.mark.parametrize(
    ("facts", "text", "told"),
    [
        (PENDING, "Order #W5918442 was cancelled. It has not been sent.", "cancelled (said)"),
        (PENDING, "Order #W5918442 cannot be cancelled. It has not been sent.", "cancelled (impo"),
        (
            PENDING,
            "Nothing can be cancelled. Order #W5918442 has not been sent.",
            "cancelled (impo",
        ),
        (SENT, "Order #W2611340 was sent.", "sent (said)"),
        (SENT, "Order #W2611340 was delivered. It can be returned.", "delivered (said)"),
        (SENT, "Order #W2611340 is being sent. We will take it back.", "will"),
    ],
)
def test_how_an_event_is_said_is_part_of_it(facts: str, text: str, told: str) -> None:
    """What is possible, denied or going on has not happened by that, nor the other way round."""
    assert told in " ".join(ungrounded(text, facts))


@pytest.mark.parametrize(
    ("facts", "text", "told"),
    [
        (PENDING, "There is no order #W5918442.", "no order"),
        (PENDING, "We do not know order #W5918442.", "no know"),
        (PENDING, "We are unable to help with order #W5918442.", "no help"),
        (STATUS, "We are unable to help with order #W6231698.", "a no that the facts do not say"),
        (STATUS, "Unfortunately, order #W6231698 is being sent.", "unfortunately"),
    ],
)
def test_a_no_is_about_what_the_facts_deny(facts: str, text: str, told: str) -> None:
    """That the facts deny one thing allows nobody to deny another."""
    assert told in ungrounded(text, facts)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Order #W6231698 is being sent by a digital assistant.", "assistant"),
        ("Order #W6231698 is being sent: Desk Lamp, Laptop.", "laptop"),
        ("Order #W6231698 for $512.40 is being sent.", "$"),
        (
            "\u0412\u0430\u0448 \u0437\u0430\u043a\u0430\u0437 #W6231698.",
            "\u0437\u0430\u043a\u0430\u0437",
        ),
        ("Order #W6231698 for \uff19\uff19 is being sent.", "99"),
        ("Thank you for your order. We are happy!", "nothing of what the facts say"),
    ],
)
def test_words_that_nobody_knows_are_not_sent(text: str, told: str) -> None:
    """Names, signs of money and other languages need the facts too, and silence is no answer."""
    assert any(one.startswith(told) for one in ungrounded(text, STATUS))


def test_numbers_in_words_and_in_figures_are_the_same() -> None:
    """Two is 2, and not 3."""
    assert ungrounded("Order #W6231698 holds two items.", STATUS) == ()
    assert ungrounded("Order #W6231698 holds three items.", STATUS) == ("3",)


@pytest.mark.parametrize("facts", [STATUS, NOT_SENT, REFUND, REFUSED, CARRIER])
def test_the_facts_themselves_are_grounded(facts: str) -> None:
    """A text that changes nothing passes."""
    assert ungrounded(facts, facts) == ()


@pytest.mark.parametrize(("facts", "text"), FAITHFUL)
def test_kind_words_are_not_doubted(facts: str, text: str) -> None:
    """What a faithful rewrite leaves out or moves is no reason to look at it."""
    assert misplaced(text, facts) == ()
    assert unsaid(text, facts) == ()


@pytest.mark.parametrize(
    ("facts", "text", "told"),
    [
        (STATUS, "Order #W6231698 is being sent. It holds 512.40 items for 2.", "item 512.40"),
        ("90.00, less a fee of 10.00.", "10.00, less a fee of 90.00.", "fee 90.00"),
        (
            "It has not been sent. It can be cancelled.",
            "It was sent; it cannot be cancelled.",
            "sent",
        ),
    ],
)
def test_what_stands_elsewhere_is_doubted(facts: str, text: str, told: str) -> None:
    """A number beside another word, and a denial of something else, change what is said."""
    assert told in misplaced(text, facts)


@pytest.mark.parametrize(
    ("facts", "text", "told"),
    [
        (STATUS, "Thank you for your patience!", "everything"),
        ("It can be returned once it was delivered.", "It was delivered: return it.", "once"),
        ("Delivered 4 days ago, by our estimate.", "Delivered 4 days ago.", "estimat"),
    ],
)
def test_what_is_left_out_and_matters_is_doubted(facts: str, text: str, told: str) -> None:
    """Without its condition or its caveat an answer says more than it did."""
    assert told in unsaid(text, facts)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (STATUS, "Order #W6231698 is being sent back to us. It holds 2 items."),
        (STATUS, "We hope that order #W6231698 is being sent."),
        (STATUS, "Order #W6231698 is being sent. You would get it all back."),
        (STATUS, "Order #W6231698 was being sent now. It holds up to 2 items."),
        (
            REFUSED,
            "Order #W8488728 was delivered 40 days ago, so it cannot be returned until then.",
        ),
        (REFUND, "230.00 can go back for #W6397299 within 4 days. No money has moved yet."),
    ],
)
def test_words_that_change_what_is_said_have_to_stand_in_the_facts(facts: str, text: str) -> None:
    """When, how much of it, whose, and whether it is wished only: none of this is free."""
    assert ungrounded(text, facts)
