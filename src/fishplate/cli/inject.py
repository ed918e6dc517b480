"""`--inject NAME=KIND[@RATE]`: faults as they are typed, and what came of them."""

from collections.abc import Iterator, Sequence
from typing import Final

from fishplate.core.errors import ErrorClass, JsonValue, UsageError
from fishplate.testing.faults import (
    Error,
    Fault,
    Faults,
    Garbage,
    Hang,
    Latency,
    Partial,
    Schedule,
)

FORM: Final = (
    "NAME=latency:SECONDS, NAME=error[:CLASS][:lost], NAME=hang[:lost], NAME=garbage or "
    "NAME=partial, each with @RATE from 0 to 1 behind it if it is not for every attempt"
)
_LOST: Final = "lost"
_CLASSES: Final = {found.word: found for found in ErrorClass}


def read_faults(texts: Sequence[str], seed: int | None) -> Faults | None:
    """The faults that a command line asks for; `None` if it asks for none.

    Raises:
        UsageError: A text is of another form, or there is a seed without a fault (code
            `bad_fault`).
    """
    if not texts:
        if seed is not None:
            message = "--inject-seed draws the rates of --inject: name a fault, or leave it out"
            raise UsageError(message, code="bad_fault")
        return None
    by_name: dict[str, list[Fault]] = {}
    for text in texts:
        name, _, rest = text.partition("=")
        try:
            by_name.setdefault(name, []).append(_fault(name, rest))
        except ValueError as error:
            message = f"--inject {text!r}: {error}. It is {FORM}"
            raise UsageError(message, code="bad_fault") from None
    return Faults(by_name, seed=seed or 0)


def fault_counts(faults: Faults) -> dict[str, JsonValue]:
    """How often each fault has acted: kind by kind, by agent."""
    found: dict[str, JsonValue] = {}
    for name in sorted({name for name, _ in faults.injected}):
        found[name] = {
            kind: count for (other, kind), count in faults.injected.items() if other == name
        }
    return found


def fault_lines(faults: Faults) -> Iterator[str]:
    """The same for a person; also that none has acted."""
    acted = [f"{name} {kind} {count}x" for (name, kind), count in faults.injected.items()]
    yield f"injected: {', '.join(sorted(acted)) or 'no fault has acted'}"


def _fault(name: str, text: str) -> Fault:
    """One fault.

    Raises:
        ValueError: Says what is wrong with the text.
    """
    what, at, rate = text.partition("@")
    kind, *details = what.split(":")
    if not name or not kind:
        msg = "there is no name or no kind"
        raise ValueError(msg)
    when = Schedule(rate=_number(rate, "rate")) if at else Schedule()
    is_lost = details[-1:] == [_LOST]
    match kind, details[:-1] if is_lost else details:
        case "latency", [seconds] if not is_lost:
            return Latency(_number(seconds, "number of seconds"), when=when)
        case "error", []:
            return Error(answer_lost=is_lost, when=when)
        case "error", [word]:
            return Error(_class_of(word), answer_lost=is_lost, when=when)
        case "hang", []:
            return Hang(answer_lost=is_lost, when=when)
        case "garbage", [] if not is_lost:
            return Garbage(when=when)
        case "partial", [] if not is_lost:
            return Partial(when=when)
        case _:
            msg = f"{what!r} is no fault"
            raise ValueError(msg)


def _number(text: str, role: str) -> float:
    try:
        return float(text)
    except ValueError:
        msg = f"{text!r} is no {role}"
        raise ValueError(msg) from None


def _class_of(word: str) -> ErrorClass:
    if word not in _CLASSES:
        msg = f"{word!r} is no error class; they are {', '.join(_CLASSES)}"
        raise ValueError(msg)
    return _CLASSES[word]
