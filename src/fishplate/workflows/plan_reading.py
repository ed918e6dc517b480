"""A plan read back from its JSON, which is judged as data of a stranger: a store may be damaged.

Values are named by their way in JSON only; `rebind` finds the fields that the agents at hand have
for them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, TypeAlias, TypeVar, cast

from fishplate.contracts.json import pointer_tokens
from fishplate.contracts.schema import Schema
from fishplate.core.errors import (
    DeclarationError,
    ErrorClass,
    FishplateError,
    JsonValue,
)
from fishplate.resilience.policy import Policy
from fishplate.workflows.plan import (
    FORMAT,
    ApprovalStep,
    Block,
    Branch,
    CallStep,
    Const,
    EachStep,
    Expression,
    ParallelStep,
    Plan,
    Ref,
    RepeatStep,
    RouteStep,
    SleepStep,
    Step,
    Struct,
    SwitchStep,
    WaitStep,
)

T = TypeVar("T")
Reading: TypeAlias = Callable[[JsonValue, str], T]
"""Reads a value that stands at a pointer; the pointer is told when it is refused."""

MOST_STEPS: Final = 10_000
MOST_NESTED: Final = 50
"""Blocks within blocks; each takes a part of Python's own stack."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STEP_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}(~[1-9][0-9]{0,8})?")
_SOURCE: Final = re.compile(r"input\.\w{1,1000}|(step|bound)\.[A-Za-z0-9_~/-]{1,4000}")
_CLASSES: Final = frozenset(found.word for found in ErrorClass)


class PlanError(FishplateError):
    """What should be a plan is none, or none of this version.

    Attributes:
        pointer: RFC 6901 pointer to what is wrong.
    """

    code = "bad_plan"
    error_class = ErrorClass.PERMANENT

    def __init__(self, message: str, pointer: str) -> None:
        super().__init__(f"{pointer or 'the plan'}: {message}")
        self.pointer = pointer


def plan_from_json(document: JsonValue) -> Plan:
    """Read what `Plan.to_json` gave; `rebind` makes it ready for agents.

    Raises:
        PlanError: It is no plan, of another version, or larger than any that is recorded.
    """
    found = _object(document, "")
    version = found.get("format")
    if version != FORMAT or isinstance(version, bool):
        raise PlanError(f"it has the format {version!r}, and this version reads {FORMAT}", "")
    plan = Plan(
        **_fields(
            found,
            "",
            {"format": _any, "name": _name, "parameters": _many(_word), "block": _Blocks().block},
            left_out=("format",),
        )
    )
    if len(set(plan.parameters)) < len(plan.parameters):
        raise PlanError("two parameters have one name", "/parameters")
    paths = [path for path, _ in plan.steps()]
    if len(set(paths)) < len(paths):
        raise PlanError("two steps have one path", "")
    return plan


class _Blocks:
    """Reads the blocks of one plan, and counts what is in them."""

    def __init__(self) -> None:
        self._count = 0
        self._depth = 0
        branches = _many(self._branch)
        self._kinds: Mapping[str, tuple[type[Any], Mapping[str, Reading[Any]]]] = {
            "call": (
                CallStep,
                {
                    "agent": _name,
                    "arguments": _many(_expression),
                    "fallbacks": _many(_name),
                    "fallback_policies": _many(_or_none(_policy)),
                    "fallback_classes": _many(_many(_class)),
                    "catching": _many(_word),
                    "policy": _or_none(_policy),
                    "graded": _flag,
                },
            ),
            "route": (RouteStep, {"on": _expression, "branches": branches}),
            "switch": (
                SwitchStep,
                {"on": _expression, "branches": branches, "default": _or_none(self.block)},
            ),
            "parallel": (ParallelStep, {"blocks": _many(self.block)}),
            "each": (
                EachStep,
                {
                    "items": _expression,
                    "block": self.block,
                    "concurrency": _or_none(_count),
                    "key": _or_none(_word),
                },
            ),
            "repeat": (
                RepeatStep,
                {"start": _expression, "block": self._call, "until": _word, "at_most": _count},
            ),
            "approval": (
                ApprovalStep,
                {"block": self._call, "roles": _many(_word), "within": _seconds},
            ),
            "wait": (
                WaitStep,
                {
                    "signal": _word,
                    "schema": _schema,
                    "within": _or_none(_seconds),
                    "default": _or_none(_constant),
                },
            ),
            "sleep": (SleepStep, {"seconds": _seconds}),
        }

    def block(self, value: JsonValue, pointer: str) -> Block:
        """Read a block."""
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise PlanError(f"more than {MOST_NESTED} blocks stand within each other", pointer)
        readings = {"steps": _many(self._step), "result": _expression}
        found = Block(**_fields(_object(value, pointer), pointer, readings))
        self._depth -= 1
        return found

    def _call(self, value: JsonValue, pointer: str) -> Block:
        """Read a block that holds one call."""
        found = self.block(value, pointer)
        if len(found.steps) != 1 or not isinstance(found.steps[0], CallStep):
            raise PlanError("one call stands here, and nothing else", f"{pointer}/steps")
        return found

    def _branch(self, value: JsonValue, pointer: str) -> Branch:
        readings = {"case": _text, "schema": _schema, "block": self.block}
        return Branch(**_fields(_object(value, pointer), pointer, readings))

    def _step(self, value: JsonValue, pointer: str) -> Step:
        self._count += 1
        if self._count > MOST_STEPS:
            raise PlanError(f"it has more than {MOST_STEPS} steps", pointer)
        found = _object(value, pointer)
        kind = found.get("step")
        if not isinstance(kind, str) or kind not in self._kinds:
            known = ", ".join(self._kinds)
            raise PlanError(f"{kind!r} is no kind of step; there are {known}", f"{pointer}/step")
        made, readings = self._kinds[kind]
        common = {"step": _any, "name": _step_name, "where": _text}
        step: Step = made(**_fields(found, pointer, {**common, **readings}, left_out=("step",)))
        _check_step(step, pointer)
        return step


def _check_step(step: Step, pointer: str) -> None:
    """Refuse parts that contradict each other."""
    if isinstance(step, CallStep):
        lists = (step.fallbacks, step.fallback_policies, step.fallback_classes)
        if len(set(map(len, lists))) > 1:
            raise PlanError("its fallbacks, their policies and classes differ in number", pointer)
    if isinstance(step, RouteStep) and not step.branches:
        raise PlanError("it has no branch", pointer)
    if isinstance(step, SwitchStep):
        if not step.branches and step.default is None:
            raise PlanError("it has no case", pointer)
        for index, branch in enumerate(step.branches):
            if not isinstance(branch.schema, dict) or set(branch.schema) != {"const"}:
                where = f"{pointer}/branches/{index}/schema"
                raise PlanError("a case is {'const': value}", where)
            if isinstance(branch.schema["const"], (dict, list)):
                raise PlanError(
                    "a case is a word, a number or true or false",
                    f"{pointer}/branches/{index}/schema",
                )


# parts


def _fields(
    found: Mapping[str, JsonValue],
    pointer: str,
    readings: Mapping[str, Reading[Any]],
    left_out: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Read exactly these fields of an object."""
    for name in found:
        if name not in readings:
            raise PlanError(f"the field {name!r} is not known", pointer)
    for name in readings:
        if name not in found:
            raise PlanError(f"the field {name!r} is missing", pointer)
    return {
        name: read(found[name], f"{pointer}/{name}")
        for name, read in readings.items()
        if name not in left_out
    }


def _object(value: JsonValue, pointer: str) -> Mapping[str, JsonValue]:
    if not isinstance(value, dict):
        _refuse("an object", value, pointer)
    return value


def _many(read: Reading[T]) -> Reading[tuple[T, ...]]:
    def read_all(value: JsonValue, pointer: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            _refuse("a list", value, pointer)
        return tuple(read(item, f"{pointer}/{index}") for index, item in enumerate(value))

    return read_all


def _or_none(read: Reading[T]) -> Reading[T | None]:
    return lambda value, pointer: None if value is None else read(value, pointer)


def _any(value: JsonValue, pointer: str) -> JsonValue:  # noqa: ARG001 -- any is right
    return value


def _text(value: JsonValue, pointer: str) -> str:
    if not isinstance(value, str):
        _refuse("a text", value, pointer)
    return value


def _word(value: JsonValue, pointer: str) -> str:
    found = _text(value, pointer)
    if not found.strip():
        _refuse("a text that is not blank", value, pointer)
    return found


def _name(value: JsonValue, pointer: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        _refuse("the name of an agent", value, pointer)
    return value


def _step_name(value: JsonValue, pointer: str) -> str:
    if not isinstance(value, str) or not _STEP_NAME.fullmatch(value):
        _refuse("the name of a step", value, pointer)
    return value


def _class(value: JsonValue, pointer: str) -> str:
    if not isinstance(value, str) or value not in _CLASSES:
        _refuse("a class of errors", value, pointer)
    return value


def _flag(value: JsonValue, pointer: str) -> bool:
    if not isinstance(value, bool):
        _refuse("true or false", value, pointer)
    return value


def _count(value: JsonValue, pointer: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        _refuse("a whole number above 0", value, pointer)
    return value


def _seconds(value: JsonValue, pointer: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < cast("float", value) < math.inf:
        _refuse("a finite number of seconds above 0", value, pointer)
    return cast("float", value)


def _policy(value: JsonValue, pointer: str) -> Policy:
    try:
        return Policy.from_json(value)
    except (ValueError, TypeError) as error:
        raise PlanError(str(error), pointer) from None


def _schema(value: JsonValue, pointer: str) -> JsonValue:
    if not isinstance(value, (dict, bool)):
        _refuse("a schema", value, pointer)
    try:
        found = Schema(value)
        assert found.canonical is not None, "a schema that compiles has a canonical form"
        return found.json
    except DeclarationError as error:
        raise PlanError(str(error), pointer) from None


def _expression(value: JsonValue, pointer: str) -> Expression:
    found = _object(value, pointer)
    if "from" in found:
        parts = _fields(found, pointer, {"from": _text, "pointer": _text})
        source, way = cast("str", parts["from"]), cast("str", parts["pointer"])
        if not _SOURCE.fullmatch(source):
            _refuse("'input.<name>', 'step.<path>' or 'bound.<path>'", source, pointer)
        if way and not way.startswith("/"):
            _refuse("a pointer", way, f"{pointer}/pointer")
        return Ref(source=source, names=tuple(pointer_tokens(way)), pointer=way)
    if "struct" in found:
        parts = _fields(found, pointer, {"struct": _word, "fields": _struct_fields})
        return Struct(type_name=parts["struct"], fields=parts["fields"])
    return _constant(value, pointer)


def _struct_fields(value: JsonValue, pointer: str) -> tuple[tuple[str, Expression], ...]:
    if pointer.count("/fields/") > MOST_NESTED:
        raise PlanError(f"more than {MOST_NESTED} objects stand within each other", pointer)
    return tuple(
        (name, _expression(part, f"{pointer}/{name}"))
        for name, part in _object(value, pointer).items()
    )


def _constant(value: JsonValue, pointer: str) -> Const:
    return Const(value=_fields(_object(value, pointer), pointer, {"const": _any})["const"])


def _refuse(expected: str, value: object, pointer: str) -> NoReturn:
    raise PlanError(f"{expected} stands here, and not {value!r:.200}", pointer)
