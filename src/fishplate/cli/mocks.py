"""`--mock NAME=...`: what the stand-ins of a run give, or the declared errors that they raise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from fishplate.agents.agent import AnyAgent
from fishplate.cli.documents import read_json
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.core.errors import InputError, JsonValue, UsageError
from fishplate.core.outcome import DeclaredError
from fishplate.workflows.workflow import reachable

# No JSON text begins like this.
_ERROR: Final = re.compile(r"error:([\w.-]*)([{@].*)?", re.DOTALL)


def read_mocks(texts: Sequence[str], agent: AnyAgent) -> dict[str, JsonValue | DeclaredError]:
    """Read what the options say, by name of the agent or tool.

    Args:
        texts: `NAME=JSON`, `NAME=@file.json`, `NAME=-` (stdin), `NAME=error:CODE`,
            `NAME=error:CODE{...}` or `NAME=error:CODE@file.json`.
        agent: What is to run; it knows the errors that its agents declare.

    Raises:
        UsageError: A text has another form, names an agent twice (code `bad_mock`), or an error
            that the agent does not declare (code `undeclared_error`).
        InputError: The fields of an error break its contract.
        JsonError: Not acceptable JSON.
    """
    found: dict[str, JsonValue | DeclaredError] = {}
    for text in texts:
        name, equals, output = text.partition("=")
        if not equals or not name:
            message = (
                f"--mock {text!r} is not of the form NAME=JSON, NAME=@file.json or NAME=error:CODE"
            )
            raise UsageError(message, code="bad_mock")
        if name in found:
            raise UsageError(f"--mock names {name!r} twice: keep one", code="bad_mock")
        option = f"--mock {name}"
        error = _ERROR.fullmatch(output)
        found[name] = (
            read_json(output, option=option)
            if error is None
            else _declared(reachable(agent).get(name), name, error[1], error[2])
        )
    return found


def _declared(
    unit: AnyAgent | None, name: str, code: str, fields: str | None
) -> JsonValue | DeclaredError:
    """The declared error of an agent with this code; `fields` is JSON or `@file.json`."""
    if unit is None:
        return None  # whoever makes the stand-ins knows which agents there are, and says so
    known = {error.code: error for error in unit.about.errors}
    if code not in known:
        declares = ", ".join(known) or "none"
        message = f"{unit.about.subject} declares no error {code!r}; it declares: {declares}"
        raise UsageError(message, code="undeclared_error")
    given = {} if fields is None else read_json(fields, option=f"--mock {name}")
    subject = f"--mock {name}: the error {code!r}"
    document = {**given, "error": code} if isinstance(given, dict) else given
    try:
        raised: DeclaredError = Shape.of(known[code]).decode(document)
    except BrokenValueError as error:
        raise InputError(subject, error.violations) from None
    return raised
