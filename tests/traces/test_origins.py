"""Ids that nothing holds which was given: made of it, only mentioned, or made up."""

import pytest

from fishplate.traces.wording import signs_in_words


def is_blamed(given: str, said: str) -> bool:
    """Whether something but a doubt speaks against what a model has said."""
    return any(not one.is_doubt for one in signs_in_words(said, given, is_all=True))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        *(("W1 to W5 are sent.", "W3 is sent."), ("W1\u2013W5", "W3 is sent.")),
        *(("W1 bis W5", "W3 ist versandt."), ("W1, 2 and 3", "W3 is sent."), ("W1/2/3", "W2.")),
        *(("order 3, and W1", "W3 is sent."), ("ABC-1 and ABC no. 2", "ABC-2 is sent.")),
        *(("W1, item 2", "W1-2 is the lamp."), ("W1", "W1a is a part of it.")),
        *(("RE-1 and RE 2024 17", "RE-2024-17 is paid."), ("DE89 3704 0044", "DE8937040044")),
    ],
)
def test_an_id_that_may_be_made_of_what_was_given_is_not_blamed(given: str, said: str) -> None:
    """It is of a range or a list, a part of a known one, in pieces, or known by its number."""
    assert not is_blamed(given, said)


@pytest.mark.parametrize(
    "said",
    [
        *("I have no record of an order W3.", "I have no data on W3.", "There isn't an order W3."),
        *("W3 ist mir nicht bekannt.", "W3 kenne ich nicht.", "W3 wurde nicht gefunden."),
        *("Die Bestellung W3 existiert nicht.", "Eine Bestellung W3 liegt nicht vor."),
        *("W3 konnte ich leider nicht finden.", "Zu W3 habe ich keine Daten."),
        *("Did you mean W3?", "Meinten Sie W3?", "Numbers like W3 will do.", "Nummern wie W3"),
        *("The next order will be W3.", "W3 is next."),
    ],
)
def test_an_id_that_is_denied_or_asked_about_is_not_blamed(said: str) -> None:
    """Nothing is said of a thing that has it, in English or in German."""
    assert not is_blamed("Orders W1 and W2 are sent.", said)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        *(("paper A3 and A5", "A4 is between them."), ("Q1: 3, Q2: 4", "Q3 starts in July.")),
        *(("the A7", "Über die A1 nach Hamburg."), ("the PS4", "The PS5 is newer.")),
    ],
)
def test_a_name_that_the_world_knows_is_not_blamed(given: str, said: str) -> None:
    """A model knows paper, quarters, roads and consoles that nobody told it of."""
    assert not is_blamed(given, said)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        *(("ORD-1 to ORD-5", "ORD-9 is sent."), ("AB-100 ist da.", "AB-101 ist unterwegs.")),
        *(
            ("AB-100 ist da.", "Wir haben AB-101 nicht versandt."),
            ("ORD-1001", "ORD-10010 is sent."),
        ),
        *(("ORD-1001", "ORD-1002 is sent. Anything else?"), ("W1", "Order W7 is sent.")),
        ("ORD-1001", "Like you said, ORD-1002 is sent."),
    ],
)
def test_an_id_that_was_made_up_is_blamed(given: str, said: str) -> None:
    """Outside the range, with more digits, or of a thing that is said not to be sent."""
    assert is_blamed(given, said)
