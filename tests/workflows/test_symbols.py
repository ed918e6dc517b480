"""Symbols: a value of a run can be followed to its fields and handed on, and nothing else."""

import asyncio
import copy
import math
import operator
from collections.abc import Callable
from typing import Any, cast

import pytest

from fishplate import DeclarationError
from fishplate.core.errors import ProblemList
from fishplate.workflows.forms import record_composition
from fishplate.workflows.recorder import Recorder
from fishplate.workflows.symbols import Symbol, facts_of
from tests.workflows.cast import order_of

REFUSED: dict[str, Callable[[Any], object]] = {
    "equal": lambda found: found == 1,
    "unequal": lambda found: found != 1,
    "less": lambda found: found < 1,
    "the other's comparison": lambda found: found < 1,
    "condition": lambda found: bool(found),
    "not": operator.not_,
    "in": lambda found: 1 in found,
    "index": lambda found: found[0],
    "key": lambda found: found["text"],
    "item assignment": lambda found: operator.setitem(found, 0, 1),
    "item deletion": lambda found: operator.delitem(found, 0),
    "len": len,
    "str": str,
    "repr": repr,
    "format": lambda found: f"{found}",
    "bytes": bytes,
    "int": int,
    "float": float,
    "complex": complex,
    "round": round,
    "floor": math.floor,
    "index number": operator.index,
    "plus": lambda found: found + 1,
    "the other's plus": lambda found: 1 + found,
    "plus in place": lambda found: operator.iadd(found, 1),
    "divmod": lambda found: divmod(found, 2),
    "power": lambda found: 2**found,
    "minus": operator.neg,
    "abs": abs,
    "invert": operator.invert,
    "and": lambda found: found & 1,
    "matrix": lambda found: found @ found,
    "hash": hash,
    "set": lambda found: {found},
    "call": lambda found: found(),
    "loop": list,
    "unpack": lambda found: [*found],
    "next": next,
    "reversed": reversed,
    "with": lambda found: found.__enter__(),
    "attribute assignment": lambda found: setattr(found, "text", 1),
    "attribute deletion": lambda found: delattr(found, "text"),
    "unknown field": lambda found: found.nothing,
    "unknown field with a default": lambda found: getattr(found, "nothing", None),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("operation", REFUSED.values(), ids=REFUSED)
def test_what_a_value_can_do_a_symbol_refuses(operation: Callable[[Any], object]) -> None:
    """Each operation on a symbol is refused, with what it stands for and what to write."""
    with pytest.raises(DeclarationError, match="workflow 'flow' is refused") as refusal:
        _recorded(lambda order: operation(order.order_id))

    problem = refusal.value.problems[0]
    assert problem.code in {"not_recordable", "unknown_field"}
    assert "'text.order_id'" in problem.message or "order_id" in problem.message


@pytest.mark.parametrize("operation", REFUSED.values(), ids=REFUSED)
def test_a_caught_refusal_counts(operation: Callable[[Any], object]) -> None:
    """The first misuse refuses the declaration even if the body has caught it."""

    def caught(found: Symbol) -> None:
        try:
            operation(found)
        except DeclarationError:
            return

    with pytest.raises(DeclarationError):
        _recorded(caught)


def test_a_field_is_a_symbol_that_knows_its_way() -> None:
    """A projection holds names for Python, and a pointer with aliases for JSON."""
    found = cast("Symbol", _recorded(lambda order: order.copied))
    facts = facts_of(found)

    assert facts.shape.name == "str"
    assert facts.expression.names == ("copied",)  # type: ignore[union-attr]
    assert facts.expression.pointer == "/copy"  # type: ignore[union-attr]


def test_symbols_can_be_handed_to_two_places() -> None:
    """A symbol is a value: it may be used as often as one likes."""
    assert _recorded(lambda order: (order.name, order.name)) is not None


def _recorded(use: Callable[[Any], object]) -> object:
    """Record a body that uses the symbol of an order."""

    async def body(order: object) -> object:
        await asyncio.sleep(0) if False else None
        return use(order)

    problems = ProblemList("workflow 'flow'")
    recorder = Recorder((), problems, record_composition)
    output = order_of.signature.output
    parameter = order_of.signature.parameters[0]
    return recorder.run(body, (parameter.__class__(name="order", shape=output),))
