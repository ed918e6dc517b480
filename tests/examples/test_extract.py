"""Order ids and reasons in customers' words: every rule by a row, and what must stay unsaid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.order_support.extract import order_ids, reason_code, replace_order_ids
from examples.order_support.refund_rules import ReasonCode

DIGITS = st.from_regex(r"[0-9]{7}", fullmatch=True)


@pytest.mark.parametrize(
    "text",
    [
        "#W1234567",
        "#w1234567",
        "W1234567",
        "w1234567",
        "W 1234567",
        "w-1234567",
        "# W1234567",
        "#1234567",
        "order 1234567",
        "Order #1234567",
        "order no. 1234567",
        "order number 1234567",
        "order number: 1234567",
        "my order number is 1234567",
        "ORDER ID W1234567",
        "order, W1234567",
        "(W1234567)",
        "W1234567's lid is cracked",
        "W1234567.",
        "order 1234567, please",
        "1234567",
        " 1234567. ",
        "It's 1234567, thanks!",
        "where is W1234567? W1234567!",
    ],
)
def test_one_id_is_found_however_it_is_written(text: str) -> None:
    """Mark, case, blanks and announcement do not matter; the shop's own form comes out."""
    assert order_ids(text) == ("#W1234567",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "where is my order",
        "W123456",
        "W12345678",
        "order 123456",
        "order 12345678",
        "xW1234567",
        "W1234567x",
        "W1234567_1",
        "tracking 123456789012",
        "call me at 5551234567",
        "item 1234567 is broken",
        "I ordered 1234567 beads",
        "order 1234567.50 dollars",
        "order 1234567,50 euros",
        "order of 1234567",
        "W\N{ARABIC-INDIC DIGIT ONE}234567",
    ],
)
def test_what_only_resembles_an_id_is_none(text: str) -> None:
    """Another length, a word around it, a price, a number of something else: no id."""
    assert order_ids(text) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("W7654321 and #W1234567", ("#W7654321", "#W1234567")),
        ("orders 7654321 and 1234567", ("#W7654321", "#W1234567")),
        ("orders 3333333, 1111111 & 2222222", ("#W3333333", "#W1111111", "#W2222222")),
        ("orders 3333333, 1111111, and 2222222", ("#W3333333", "#W1111111", "#W2222222")),
        ("order 1111111 or W2222222?", ("#W1111111", "#W2222222")),
        ("w1111111, not w2222222, sorry: W1111111", ("#W1111111", "#W2222222")),
        ("order 1111111 and 22 mugs", ("#W1111111",)),
    ],
)
def test_several_ids_come_in_order_of_first_mention(text: str, found: tuple[str, ...]) -> None:
    """All ids are found, each once, and which comes first is the customer's."""
    assert order_ids(text) == found


@given(st.lists(DIGITS, min_size=1, max_size=5, unique=True))
def test_ids_are_found_between_any_words(digits: list[str]) -> None:
    """Whatever the digits, an id that is written in full is found."""
    text = "hello, " + " then ".join(f"#W{number} came" for number in digits)

    assert order_ids(text) == tuple(f"#W{number}" for number in digits)


@given(st.text(max_size=60))
def test_ids_always_have_the_form_of_the_shop(text: str) -> None:
    """No text at all makes an id that the shop could not have."""
    for found in order_ids(text):
        assert found[:2] == "#W"
        assert found[2:].isascii()
        assert found[2:].isdigit()
        assert len(found) == 9


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("where is #W1234567?", "where is it?"),
        ("order number W1234567 status", "it status"),
        ("orders 1234567 and 7654321!", "it and it!"),
        ("nothing to find", "nothing to find"),
        ("", ""),
    ],
)
def test_ids_are_replaced_and_the_rest_stays(text: str, rest: str) -> None:
    """Only the id and what announces it is replaced."""
    assert replace_order_ids(text, "it") == rest


@pytest.mark.parametrize("text", ["order" + " " * 100_000, "w " * 50_000, "#" * 100_000])
def test_long_texts_take_no_long_time(text: str) -> None:
    """Blanks and marks without end are read in one pass; the test's time limit is the check."""
    assert order_ids(text) == ()
    assert reason_code(text) is None


DAMAGED = [
    "it arrived damaged",
    "there is damage to one corner",
    "it came broken",
    "the screen broke after a day",
    "i received a cracked mug",
    "the vase was smashed when i opened the box",
    "my item is defective",
    "product is faulty, money back now",
    "it doesn't work",
    "it doesn\N{RIGHT SINGLE QUOTATION MARK}t turn on",
    "my blender stopped working after two days",
    "the perfume leaked all over everything",
    "seams coming apart after ONE wash",
    "the phone case is cracked",
    "the drone won't hold a charge",
    "no, it's cracked",
    "order no W1234567 arrived damaged",
    "if possible i'd like a refund for the broken vase",
    "will you refund me for the broken vase?",
]
LATE = [
    "it came too late",
    "my delivery is late",
    "the parcel is delayed",
    "it was overdue by a week",
    "it took way too long",
    "it did not arrive on time",
    "i didn't get it in time",
    "it arrived after my birthday",
    "the package arrived so late that i don't want it anymore",
]
WRONG_ITEM = [
    "Wrong item!",
    "you sent me the wrong headphones",
    "i received the wrong colour",
    "this is not what i ordered",
    "got size 9 instead of 7",
    "Received a black one instead of white",
    "i never ordered this",
    "there is somebody else's order in the box",
    "i ordered blue and you sent the wrong size",
]
CHANGED_MIND = [
    "i changed my mind",
    "we have changed our minds",
    "i've had a change of heart",
    "I've got buyer's remorse",
    "i no longer need the crib",
    "i don't want it any more",
    "i don't like the colour",
    "i ordered two of them by accident",
    "nothing broken, i just changed my mind",
    "the vase isn't damaged, i just don't want it",
]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (text, reason)
        for reason, texts in (
            ("damaged", DAMAGED),
            ("late", LATE),
            ("wrong_item", WRONG_ITEM),
            ("changed_mind", CHANGED_MIND),
        )
        for text in texts
    ],
)
def test_a_reported_reason_is_read(text: str, reason: ReasonCode) -> None:
    """What a customer plainly says is understood."""
    assert reason_code(text) == reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        "i want a refund",
        "i'd like to return these shoes",
        "the shirt doesn't fit",
    ],
)
def test_no_reason_given_is_no_reason(text: str) -> None:
    """Where nothing is said, nothing is assumed."""
    assert reason_code(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "it is not damaged",
        "it isn't broken",
        "there is no damage",
        "nothing is broken",
        "it arrived without being scratched",
        "i haven't changed my mind",
        "it was not late and not cracked",
        "it's not that i changed my mind",
    ],
)
def test_a_negated_reason_is_no_reason(text: str) -> None:
    """What a customer says is not so is not taken as so."""
    assert reason_code(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("it isn't broken, it came late", "late"),
        ("not late but damaged", "damaged"),
        ("it's not the wrong one, it's broken", "damaged"),
    ],
)
def test_a_negation_ends_with_its_clause(text: str, reason: ReasonCode) -> None:
    """One reason denied and another one reported is a clear answer."""
    assert reason_code(text) == reason


@pytest.mark.parametrize(
    "text",
    [
        "it came late and it is broken",
        "i changed my mind, and it is the wrong colour",
        "not damaged on the outside but broken inside",
        "not only late but damaged too",
    ],
)
def test_contradictions_and_several_reasons_are_undecided(text: str) -> None:
    """Each reason has other rules, so of two reasons none is chosen: the customer is asked."""
    assert reason_code(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "if it arrives damaged, can i send it back?",
        "what is your policy for damaged goods",
        "can i return it in case it is broken",
        "it might be late",
        "i fear it will be late",
        "the tracking link is broken",
        "sorry for the late reply",
        "sorry for the delay, here is my zip code",
        "my refund is late",
        "is it too late to return this?",
        "you delivered it to the wrong address",
        "i want a refund instead of a replacement",
        "i want it delivered to my office instead",
        "i'm broke right now",
        "i don't want this to happen again",
        "i ordered the wrong size",
        "bought the wrong ink cartridges, totally my fault",
    ],
)
def test_a_cue_about_something_else_is_no_reason(text: str) -> None:
    """Possibilities, other things and the customer's own mistakes are not reports of the goods."""
    assert reason_code(text) is None


def test_only_the_first_part_of_an_endless_message_is_read() -> None:
    """A reason within 4,000 characters is read, one behind them is not."""
    assert reason_code("so. " * 900 + "it is broken") == "damaged"
    assert reason_code("so. " * 1_100 + "it is broken") is None
