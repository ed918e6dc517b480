"""What a body tells: harmless whatever it is, and refused at the call if it is of another type."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate import App, agent, current
from fishplate.core.current import Passage
from fishplate.core.errors import JsonValue, UsageError
from fishplate.core.told import MOST_VALUES, inert


class Unshowable:
    """Fails when it is shown."""

    def __repr__(self) -> str:
        """Fail, with something that is to stay where it is."""
        raise RuntimeError("what only the value knows")


class Key(Unshowable):
    """Fails when it is shown, and may be a key."""

    def __hash__(self) -> int:
        """Any."""
        return 1


class Members(dict[str, int]):
    """Fails when its members are asked for."""

    def items(self) -> Any:
        """Fail."""
        raise KeyError("nothing")


HOSTILE: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20)
    | st.binary(max_size=5)
    | st.sampled_from([10**30, -(10**4000), "\ud800", Members(a=1)])
    | st.builds(Unshowable)
    | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5) | st.builds(Key) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def is_harmless(value: JsonValue) -> bool:
    """Whether any reader of a trace can write it down."""
    match value:
        case None | bool() | float():
            return True
        case int():
            return -(1 << 63) <= value < 1 << 63
        case str():
            return type(value) is str and value.encode().decode() == value
        case list():
            return all(map(is_harmless, value))
        case dict():
            return all(is_harmless(name) and is_harmless(one) for name, one in value.items())


@given(HOSTILE)
def test_whatever_is_told_becomes_plain_json(value: object) -> None:
    """No value is kept that a reader could stumble over."""
    assert is_harmless(inert(value))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_plain_json_stays_as_it_is(value: object) -> None:
    """What is harmless already is copied and not changed."""
    assert json.dumps(inert(value)) == json.dumps(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Unshowable(), "[not kept: RuntimeError]"),
        ({"a": Unshowable(), "b": 1}, {"a": "[not kept: RuntimeError]", "b": 1}),
        ({Key(): 1}, {"[not kept: RuntimeError]": 1}),
        (10**30, "[not kept: an integer of 100 bits]"),
        (10**5000, "[not kept: an integer of 16610 bits]"),
        (Members(a=1), "[not kept: KeyError]"),
        ("a\ud800b", "a?b"),
        ((1, {2}), [1, [2]]),
    ],
    ids=range(8),
)
def test_only_what_cannot_be_told_is_replaced(value: object, told: object) -> None:
    """A mark says why, and never what the value's own code says."""
    assert inert(value) == told


def test_a_value_that_holds_itself_ends() -> None:
    """Neither a circle nor a list that holds one list a thousand times is copied without end."""
    circle: list[object] = []
    circle.extend([circle] * 50)

    assert len(json.dumps(inert(circle))) < 100 * MOST_VALUES
    assert len(json.dumps(inert([0] * 10_000_000))) < 100 * MOST_VALUES


NUMBERS: list[JsonValue] = [1, 2]
PASSED: Any = iter("ab")


@agent
async def changing(text: str) -> str:
    """Tells something, and changes it."""
    current().note(numbers=NUMBERS, passed=PASSED)
    NUMBERS.append(3)
    return text


async def test_what_was_told_does_not_change_any_more() -> None:
    """A span has the value that was told, whatever becomes of the object."""
    async with App(changing) as app:
        await changing("x")
        [span] = app.traces.spans()

    assert span.attributes is not None
    assert span.attributes["numbers"] == [1, 2]
    assert list(PASSED) == ["a", "b"]


LOOSE: Any = Passage
"""What a program without type checks may write."""
RIGHT: dict[str, dict[str, Any]] = {
    "retrieved": {"source": "notes", "passages": [Passage(id="1")]},
    "decided": {"table": "rules", "row": "first", "given": {}},
    "doubt": {"reason": "odd", "about": "look"},
    "degrade": {"reason": "down", "source": "memory"},
    "note": {},
}
WRONG: dict[str, tuple[str, dict[str, object]]] = {
    "retrieved(source=) is a text, and got a int": ("retrieved", {"source": 3}),
    "retrieved(passages=) is a list of passages, and got a int": ("retrieved", {"passages": 3}),
    "retrieved(passages=[...]) is a Passage each, and got a dict": (
        "retrieved",
        {"passages": [{"id": "1"}]},
    ),
    "Passage(id=)]) is a text, and got a int": ("retrieved", {"passages": [LOOSE(id=3)]}),
    "Passage(score=)]) is a number or None, and got a str": (
        "retrieved",
        {"passages": [LOOSE(id="1", score="high")]},
    ),
    "Passage(text=)]) is a text, and got a bytes": (
        "retrieved",
        {"passages": [LOOSE(id="1", text=b"x")]},
    ),
    "retrieved(used=) is a list of texts, and got a str": ("retrieved", {"used": "12"}),
    "retrieved(used=) is a text, and got a int": ("retrieved", {"used": [3]}),
    "retrieved(query=) is a text, and got a list": ("retrieved", {"query": ["x"]}),
    "decided(table=) is a text, and got a NoneType": ("decided", {"table": None}),
    "decided(row=) is a text, and got a int": ("decided", {"row": 3}),
    "decided(given=) is a mapping of names to JSON values, and got a str": (
        "decided",
        {"given": "x"},
    ),
    "decided(when=) is a mapping of names to JSON values, and got a list": (
        "decided",
        {"when": []},
    ),
    "doubt(reason=) is a text, and got a int": ("doubt", {"reason": 5}),
    "doubt(about=) is a list of texts, and got a int": ("doubt", {"about": 5}),
    "degrade(reason=) is a text, and got a ValueError": ("degrade", {"reason": ValueError("x")}),
    "degrade(source=) is a text, and got a NoneType": ("degrade", {"source": None}),
    "degrade(age=) is a number or None, and got a str": ("degrade", {"age": "old"}),
}


def tell(method: str, **changed: object) -> None:
    """Tell something of the running call, with something changed."""
    getattr(current(), method)(**{**RIGHT[method], **changed})


@agent
async def wrong(message: str) -> str:
    """Tells something of a wrong type."""
    method, changed = WRONG[message]
    tell(method, **changed)
    return message


@pytest.mark.parametrize("message", WRONG)
async def test_a_wrong_type_is_refused_where_it_is_told(message: str) -> None:
    """The error stands at the call, and says what was given and what is wanted."""
    async with App(wrong):
        with pytest.raises(UsageError) as refused:
            await wrong(message)

    assert refused.value.code == "bad_fact"
    assert message in str(refused.value)


class Single:
    """A number as arrays have them."""

    def __float__(self) -> float:
        """Half."""
        return 0.5


@agent
async def scored(text: str) -> str:
    """Tells the score of another library."""
    tell("retrieved", passages=(LOOSE(id="1", score=Single()),))
    return text


async def test_numbers_of_other_libraries_are_scores() -> None:
    """Whatever has a float's value is taken."""
    async with App(scored) as app:
        await scored("x")
        found = next(one for one in app.traces.spans() if one.kind == "retrieval")

    facts: Any = found.attributes
    assert facts["passages"] == [{"id": "1", "score": 0.5}]


def test_numbers_that_are_not_finite_stay() -> None:
    """What writes JSON says what becomes of them."""
    assert [str(inert(one)) for one in (math.nan, math.inf, -math.inf)] == ["nan", "inf", "-inf"]
