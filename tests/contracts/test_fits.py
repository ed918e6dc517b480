"""Whether one schema fits another: labelled pairs, laws, and what a refusal tells."""

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fishplate.contracts.fits import fits, overlap, overlaps, uncovered, unsatisfiable
from fishplate.contracts.schema import Schema
from fishplate.contracts.witness import hints_of, proposals
from fishplate.core.errors import DeclarationError, JsonValue
from tests.contracts.independent import accepts
from tests.contracts.pairs import (
    HUMAN,
    INTEGER,
    NUMBER,
    PAIRS,
    REFUND,
    STATUS,
    STRING,
    Document,
    Pair,
    either,
    record,
    tree,
)
from tests.contracts.schemas import documents, pairs, values

MOST_UNPROVEN: Final = 4


def directions(pair: Pair) -> list[tuple[Document, Document, bool]]:
    """Both questions that a pair asks, with their labels."""
    return [
        (pair.producer, pair.consumer, pair.forwards),
        (pair.consumer, pair.producer, pair.backwards),
    ]


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.name for pair in PAIRS])
def test_never_contradicts_a_label(pair: Pair) -> None:
    """A pair that fits is never called a break, nor the other way round."""
    for producer, consumer, does_fit in directions(pair):
        verdict = fits(Schema(producer), Schema(consumer)).verdict

        assert verdict in {"fits" if does_fit else "breaks", "unproven"}


def test_decides_nearly_every_label() -> None:
    """At most four of the labelled questions stay without an answer."""
    unproven = [
        pair.name
        for pair in PAIRS
        for producer, consumer, _ in directions(pair)
        if fits(Schema(producer), Schema(consumer)).verdict == "unproven"
    ]

    assert len(unproven) <= MOST_UNPROVEN, unproven


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.name for pair in PAIRS])
def test_shows_a_counterexample_for_every_labelled_break(pair: Pair) -> None:
    """A break comes with a value that an independent validator judges alike on both sides."""
    for producer, consumer, does_fit in directions(pair):
        if not does_fit:
            found = fits(Schema(producer), Schema(consumer))

            assert found.has_counterexample
            assert accepts(producer, found.counterexample)
            assert not accepts(consumer, found.counterexample)


@given(pairs(), st.lists(values, max_size=12))
@settings(max_examples=100)
def test_agrees_with_every_value(pair: tuple[Document, Document], samples: list[JsonValue]) -> None:
    """No value contradicts a verdict, as an independent validator judges it."""
    producer, consumer = pair

    found = fits(Schema(producer), Schema(consumer))

    if found.has_counterexample:
        assert found.verdict == "breaks"
        assert accepts(producer, found.counterexample)
        assert not accepts(consumer, found.counterexample)
    if found.verdict == "fits":
        proposed = list(proposals(producer, hints_of(producer, consumer)))[:40]
        given_by_producer = [v for v in (*samples, *proposed) if accepts(producer, v)]
        assert all(accepts(consumer, value) for value in given_by_producer)


@given(documents())
def test_every_schema_fits_itself(document: Document) -> None:
    """What a schema gives it also takes."""
    assert fits(Schema(document), Schema(document)).verdict == "fits"


@given(pairs(), st.lists(values, max_size=12))
@settings(max_examples=100)
def test_disjoint_means_no_common_value(
    pair: tuple[Document, Document], samples: list[JsonValue]
) -> None:
    """Where the answer is no, no value is accepted by both; an example is."""
    first, second = pair

    found = overlap(Schema(first), Schema(second))

    if found.has_example:
        assert found.answer == "yes"
        assert accepts(first, found.example)
        assert accepts(second, found.example)
    if found.answer == "no":
        proposed = list(proposals(first, hints_of(first, second)))[:40]
        assert not any(accepts(first, v) and accepts(second, v) for v in (*samples, *proposed))


def respelled(document: Document) -> list[Document]:
    """Other documents for the same schema."""
    if isinstance(document, bool) or "$defs" in document:
        return []
    spellings: list[Document] = [
        dict(reversed(document.items())),
        {"$ref": "#/$defs/Whole", "$defs": {"Whole": document}},
        {"allOf": [document]},
        {"anyOf": [document, False]},
        {**document, "title": "Other words", "description": "that change nothing"},
    ]
    if isinstance(arms := document.get("anyOf"), list):
        spellings.append({**document, "anyOf": list(reversed(arms))})
    if "const" in document:
        spellings.append({"enum": [document["const"]]})
    return spellings


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.name for pair in PAIRS])
def test_spelling_does_not_matter(pair: Pair) -> None:
    """References, the order of keys and arms, and const or enum leave the verdict as it is."""
    verdict = fits(Schema(pair.producer), Schema(pair.consumer)).verdict

    for spelling in respelled(pair.producer):
        assert fits(Schema(spelling), Schema(pair.consumer)).verdict == verdict, spelling
    for spelling in respelled(pair.consumer):
        assert fits(Schema(pair.producer), Schema(spelling)).verdict == verdict, spelling


def test_a_root_that_refers_to_itself_is_proved() -> None:
    """Recursion through the root is settled like recursion through a definition."""
    narrow: Document = record(value=INTEGER, optional={"next": {"$ref": "#"}})
    wide: Document = record(value=NUMBER, optional={"next": {"$ref": "#"}})

    assert fits(Schema(narrow), Schema(wide)).verdict == "fits"
    assert fits(Schema(wide), Schema(narrow)).pointer == "/value"


def test_names_the_field_that_may_be_missing() -> None:
    """The reason for an optional field names the field; the repairs say where to act."""
    found = fits(Schema(record(optional={"order_id": STRING})), Schema(record(order_id=STRING)))

    assert found.reason == "'order_id' may be missing"
    assert found.counterexample == {}
    assert found.repairs[0] == "make the field required in what the producer gives"


def test_points_at_the_part_that_is_refused() -> None:
    """The pointer leads to the refused part of the counterexample."""
    found = fits(
        Schema(record(order=record(total=NUMBER))), Schema(record(order=record(total=INTEGER)))
    )

    assert found.pointer == "/order/total"
    assert found.reason == "'/order/total' may be refused: 0.5 is a number, not an integer"


@pytest.mark.parametrize(
    ("producer", "consumer", "repair"),
    [
        (record(a=STRING), record(a=STRING, is_closed=True), "close the producer's object"),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, 'accept "b" at the value in the consumer'),
        ({"type": ["string", "null"]}, STRING, "let the producer never give null at the value"),
        (STRING, INTEGER, "convert the value in an adapter step"),
        (either(STRING, INTEGER), either(STRING, {"const": 1}), "add an alternative for 0"),
        (INTEGER, {"type": "integer", "minimum": 1}, "declare the range of the value"),
        ({"type": "array"}, {"type": "array", "contains": STRING}, "widen what the consumer takes"),
    ],
)
def test_advises_by_the_rule_that_is_broken(
    producer: Document, consumer: Document, repair: str
) -> None:
    """The first repair belongs to the broken rule."""
    assert fits(Schema(producer), Schema(consumer)).repairs[0].startswith(repair)


def test_a_schema_that_is_none_is_refused() -> None:
    """A document that does not compile is a typed error, not a verdict."""
    with pytest.raises(DeclarationError, match="no valid schema") as caught:
        fits(Schema({"type": "strin"}), Schema(True))

    assert caught.value.code == "invalid_schema"
    assert caught.value.problems[0].pointer == "/type"


def test_exhaustive_guards_cover_a_union() -> None:
    """A union is covered when every member has a guard, in any order."""
    output = Schema(either(REFUND, STATUS, HUMAN))

    assert uncovered(output, [Schema(HUMAN), Schema(REFUND), Schema(STATUS)]).verdict == "fits"


def test_a_forgotten_member_is_shown() -> None:
    """What no guard takes is shown as a value."""
    found = uncovered(Schema(either(REFUND, STATUS, HUMAN)), [Schema(REFUND), Schema(STATUS)])

    assert found.verdict == "breaks"
    assert isinstance(found.counterexample, dict)
    assert found.counterexample["kind"] == "human"


def test_no_guard_covers_nothing() -> None:
    """Without guards every value is left over."""
    assert uncovered(Schema(STRING), []).has_counterexample


def test_guards_keep_their_own_definitions() -> None:
    """Guards with definitions of the same name do not mix them up."""
    output = Schema(tree({"type": ["integer", "string"]}))

    found = uncovered(output, [Schema(tree(INTEGER)), Schema(tree(STRING))])

    assert found.verdict == "breaks"
    assert not accepts(tree(INTEGER), found.counterexample)
    assert not accepts(tree(STRING), found.counterexample)


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        (REFUND, STATUS, "no"),
        (STRING, INTEGER, "no"),
        (INTEGER, NUMBER, "yes"),
        (record(a=STRING), record(b=STRING), "yes"),
        (record(a=STRING, is_closed=True), record(b=STRING), "no"),
        (tree(INTEGER), tree(STRING), "no"),
        (tree(INTEGER), tree(NUMBER), "yes"),
        ({"not": {"not": STRING}}, INTEGER, "no"),
        (False, STRING, "no"),
    ],
)
def test_tells_whether_schemas_overlap(first: Document, second: Document, answer: str) -> None:
    """Members of a union are told apart by type, tag or field, recursive ones too."""
    assert overlaps(Schema(first), Schema(second)) == answer
    assert overlaps(Schema(second), Schema(first)) == answer


def test_a_contract_nobody_can_satisfy_is_found() -> None:
    """A contradiction is named where it stands, and at the root if the whole is impossible."""
    found = unsatisfiable(
        Schema(record(age={"type": "integer", "minimum": 5, "maximum": 3}, is_closed=True))
    )

    assert set(found) == {"", "/properties/age"}
    assert "'minimum' and 'maximum'" in found["/properties/age"]


def test_a_type_that_never_ends_is_impossible() -> None:
    """A recursive type without an end has no finite value."""
    endless: Document = {
        "$defs": {"Link": record(next={"$ref": "#/$defs/Link"})},
        "$ref": "#/$defs/Link",
    }

    assert unsatisfiable(Schema(endless)) == {"": "no finite value satisfies it"}


def test_what_is_written_as_false_is_meant_so() -> None:
    """A closed object is no contradiction."""
    assert unsatisfiable(Schema(record(a=STRING, is_closed=True))) == {}
