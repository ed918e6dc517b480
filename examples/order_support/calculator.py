"""Arithmetic on a line of text, for an agent that adds up prices.

Two stacks (Dijkstra's shunting yard) and no recursion: what a model writes can neither run code nor
exhaust the interpreter's stack.

Source: E. W. Dijkstra, "Algol 60 translation", MR 34/61, Mathematisch Centrum (1961).
"""

import re
from collections.abc import Iterator

from examples.order_support.shop_rules import Refused

# Every literal adds at most its own length to the exponent, so no result leaves a float's range
# (1e308), and no divisor becomes 0 by underflow.
LONGEST_EXPRESSION = 300

_ALLOWED = frozenset("0123456789+-*/(). ")
_SYMBOL = re.compile(r"\s*(?:(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)|(?P<sign>[-+*/()]))")
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "unary +": 3, "unary -": 3}


def calculate(expression: str) -> str:
    """Work out `+ - * /` and parentheses, with the usual precedence.

    Args:
        expression: Digits, `+ - * / ( ) .` and blanks, at most 300 characters.

    Returns:
        The text of a float with at most 2 decimals: `2 + 2` gives `4.0`.

    Raises:
        Refused: Other characters, too long, not arithmetic, or a division by zero.
    """
    if not _ALLOWED.issuperset(expression):
        raise Refused("Invalid characters in expression")
    if len(expression) > LONGEST_EXPRESSION:
        raise Refused(f"Expression is longer than {LONGEST_EXPRESSION} characters")
    return str(round(float(_evaluate(expression)), 2))


def _evaluate(expression: str) -> float:
    values: list[float] = []
    waiting: list[str] = []
    value_is_due = True  # else an operator or a closing parenthesis is
    for symbol in _symbols(expression):
        if symbol not in _STRENGTH and symbol not in "()":
            _expect(value_is_due)
            values.append(float(symbol) if "." in symbol else int(symbol))
            value_is_due = False
        elif symbol == "(":
            _expect(value_is_due)
            waiting.append(symbol)
        elif symbol == ")":
            _expect(not value_is_due)
            while waiting and waiting[-1] != "(":
                _apply(waiting.pop(), values)
            _expect(bool(waiting))
            waiting.pop()
        elif value_is_due:
            _expect(symbol in "+-")
            waiting.append(f"unary {symbol}")
        else:
            while waiting and _STRENGTH.get(waiting[-1], 0) >= _STRENGTH[symbol]:
                _apply(waiting.pop(), values)
            waiting.append(symbol)
            value_is_due = True
    _expect(not value_is_due and "(" not in waiting)
    while waiting:
        _apply(waiting.pop(), values)
    return values.pop()


def _symbols(expression: str) -> Iterator[str]:
    text = expression.rstrip()
    position = 0
    while position < len(text):
        found = _SYMBOL.match(text, position)
        if found is None:  # a point without a digit: the characters were checked before
            raise Refused("Invalid expression")
        yield found["number"] or found["sign"]
        position = found.end()


def _apply(operator: str, values: list[float]) -> None:
    right = values.pop()
    if operator == "unary -":
        values.append(-right)
    elif operator == "unary +":
        values.append(right)
    elif operator == "+":
        values.append(values.pop() + right)
    elif operator == "-":
        values.append(values.pop() - right)
    elif operator == "*":
        values.append(values.pop() * right)
    elif right == 0:
        raise Refused("Division by zero in expression")
    else:
        values.append(values.pop() / right)


def _expect(it_is_so: bool) -> None:  # noqa: FBT001 -- reads as a sentence: _expect(value_is_due)
    if not it_is_so:
        raise Refused("Invalid expression")
