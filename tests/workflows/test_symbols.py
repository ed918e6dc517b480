"""Symbols: a value of a run can be followed to its fields and handed on, and nothing else."""

import copy
import math
import operator
from collections.abc import Callable
from typing import Any, cast

import pytest

from fishplate import DeclarationError
from fishplate.contracts.signature import Parameter
from fishplate.core.errors import ProblemList
from fishplate.workflows.forms import record_composition
from fishplate.workflows.plan import Ref
from fishplate.workflows.recorder import Recorder
from fishplate.workflows.symbols import Symbol, facts_of
from tests.workflows.cast import order_of

REFUSED: dict[str, Callable[[Any], object]] = {
    "equal": lambda found: found == 1,
    "unequal": lambda found: found != 1,
    "less": lambda found: found < 1,
    "condition": bool,
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
    "plus in place": lambda found: cast("Any", operator).iadd(found, 1),
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
    assert "'order.order_id'" in problem.message


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
    assert facts_of(found).shape.name == "str"
    assert facts_of(found).expression == Ref(
        source="input.order", names=("copied",), pointer="/copy"
    )


def _recorded(use: Callable[[Any], object]) -> object:
    """Record a body that does something with the symbol of an order."""

    async def body(order: object) -> object:
        return use(order)

    recorder = Recorder((), ProblemList("workflow 'flow'"), record_composition)
    return recorder.run(body, (Parameter(name="order", shape=order_of.signature.output),))
