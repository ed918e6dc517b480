"""Arithmetic on text: right for every expression, and refused when it is none."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from examples.order_support.calculator import LONGEST_EXPRESSION, calculate
from examples.order_support.shop_rules import Refused

REFUSALS = {"Invalid expression", "Division by zero in expression"}

Valued = tuple[str, float]


def _negated(inner: Valued) -> Valued:
    return f"-({inner[0]})", -inner[1]


def _joined(parts: tuple[Valued, str, Valued]) -> Valued:
    (left, left_value), operator, (right, right_value) = parts
    text = f"({left}) {operator} ({right})"
    match operator:
        case "+":
            return text, left_value + right_value
        case "-":
            return text, left_value - right_value
        case "*":
            return text, left_value * right_value
        case _:
            assume(right_value != 0)
            return text, left_value / right_value


NUMBERS = st.one_of(
    st.integers(0, 9999).map(lambda whole: (str(whole), whole)),
    st.integers(0, 999_999).map(lambda cents: (f"{cents / 100:.2f}", cents / 100)),
)
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        inner.map(_negated), st.tuples(inner, st.sampled_from("+-*/"), inner).map(_joined)
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_the_value_is_that_of_the_tree(expression: Valued) -> None:
    """A fully parenthesised text gives the value of the tree that it was written from."""
    text, value = expression
    assume(len(text) <= LONGEST_EXPRESSION)

    assert calculate(text) == str(round(float(value), 2))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 2", "4.0"),
        ("3131.1 + 4777.75 + 367.38", "8276.23"),
        ("155.33 - 147.05 + 268.77 - 235.13", "41.92"),
        ("2+3*4", "14.0"),
        ("20-5-5", "10.0"),
        ("100/5/2", "10.0"),
        ("2*(3+4)", "14.0"),
        ("-2*3", "-6.0"),
        ("2*-3+1", "-5.0"),
        ("2--3", "5.0"),
        ("+-+4", "-4.0"),
        ("-(2+3)", "-5.0"),
        (".5 + 1.", "1.5"),
        (" ( ( 1 ) ) ", "1.0"),
        ("10/3", "3.33"),
        ("9007199254740993 - 9007199254740992", "1.0"),
    ],
)
def test_precedence_and_signs_are_the_usual_ones(expression: str, value: str) -> None:
    """Products bind before sums, equals go from left to right, a sign binds to what follows."""
    assert calculate(expression) == value


@given(st.text(alphabet="0123456789+-*/(). ", max_size=LONGEST_EXPRESSION))
def test_any_allowed_text_is_answered_or_refused(expression: str) -> None:
    """No text of allowed characters does anything else than give a finite number or a refusal."""
    try:
        value = calculate(expression)
    except Refused as refusal:
        value = refusal.message

    assert value in REFUSALS or math.isfinite(float(value))


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("9" * 300, id="one number"),
        pytest.param("9" * 149 + "*" + "9" * 150, id="product of whole numbers"),
        pytest.param("9" * 147 + ".0*" + "9" * 150, id="product with a decimal"),
        pytest.param("1/." + "0" * 296 + "1", id="division by next to nothing"),
        pytest.param("1/(1/" + "9" * 294 + ")", id="division by a quotient"),
        pytest.param("(" * 149 + "1" + ")" * 149, id="parentheses"),
        pytest.param("-" * 299 + "1", id="signs"),
    ],
)
def test_the_longest_expressions_stay_in_range(expression: str) -> None:
    """Nothing that fits into the limit overflows, divides by 0 or exhausts the stack."""
    assert len(expression) <= LONGEST_EXPRESSION
    assert math.isfinite(float(calculate(expression)))
