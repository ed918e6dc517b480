"""A function's annotations as a contract: which parameters make up the input, and what the output is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from fishplate.contracts.anatomy import is_union
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.core.errors import DeclarationError, InputError, JsonValue, Problem, ProblemList, Violation
from fishplate.core.outcome import DeclaredError

MISSING: Final = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One parameter: its name, its shape, and its default if it has one (else `MISSING`)."""

    name: str
    shape: Shape[Any]
    default: object = MISSING


class Signature:
    """The input and output of a unit, as Python sees them.

    Attributes:
        parameters: In the order of the function.
        is_whole: The only parameter is the whole input; otherwise the input is an object of the parameters.
        output: Shape of what comes back.
        takes: Schema of the input.
    """

    __slots__ = ("_exact", "arity", "is_whole", "output", "parameters", "takes")

    def __init__(self, parameters: tuple[Parameter, ...], *, is_whole: bool, output: Shape[Any]) -> None:
        self.parameters = parameters
        self.arity = len(parameters)
        self._exact = tuple(parameter.shape.exact for parameter in parameters)
        self.is_whole = is_whole
        self.output = output
        self.takes = parameters[0].shape.takes if is_whole else _object_of(parameters)

    @staticmethod
    def of(function: Callable[..., object], *, subject: str, where: str, local: Mapping[str, object]) -> Signature:
        """Read a function's annotations.

        Args:
            function: A plain or async function.
            subject: What it is called in errors.
            where: `file:line` of its source.
            local: Names visible where it was declared, for annotations that its globals do not know.

        Raises:
            DeclarationError: A parameter or the result cannot stand in a contract.
        """
        problems = ProblemList(subject)
        hints = _hints(function, subject, where, local)
        parameters: list[Parameter] = []
        for parameter in inspect.signature(function).parameters.values():
            if reason := _refusal(parameter, hints):
                problems.add(Problem(code="no_contract", message=reason, where=where))
                continue
            shape = Shape.of(hints[parameter.name], subject=subject, where=where)
            default = MISSING if parameter.default is parameter.empty else parameter.default
            if default is not MISSING:
                try:
                    default = shape.accept(default)
                except BrokenValueError as error:
                    reason = f"the default of {parameter.name!r} breaks its own type: {error}"
                    problems.add(Problem(code="bad_default", message=reason, where=where))
            parameters.append(Parameter(name=parameter.name, shape=shape, default=default))
        if "return" not in hints:
            reason = f"{subject} does not say what it returns: add a return annotation"
            problems.add(Problem(code="no_contract", message=reason, where=where))
        problems.raise_if_any()
        output = Shape.of(hints["return"], subject=subject, where=where)
        if output.anatomy is not None:
            for reason in output.anatomy.output_refusals:
                problems.add(Problem(code="no_contract", message=f"the output: {reason}", where=where))
        problems.raise_if_any()
        is_whole = (
            len(parameters) == 1
            and parameters[0].default is MISSING
            and _is_whole_input(hints[parameters[0].name])
        )
        return Signature(tuple(parameters), is_whole=is_whole, output=output)

    def bind(self, arguments: tuple[object, ...], named: Mapping[str, object], *, subject: str) -> tuple[object, ...]:
        """Bring arguments into the order of the parameters, defaults filled in.

        Raises:
            TypeError: As Python's own call would: missing, unknown, or given twice.
        """
        if len(arguments) > self.arity:
            msg = f"{subject} takes {self.arity} arguments, {len(arguments)} were given"
            raise TypeError(msg)
        left = dict(named)
        bound = list(arguments)
        for parameter in self.parameters[: len(arguments)]:
            if parameter.name in left:
                msg = f"{subject} got {parameter.name!r} twice"
                raise TypeError(msg)
        for parameter in self.parameters[len(arguments) :]:
            value = left.pop(parameter.name, parameter.default)
            if value is MISSING:
                msg = f"{subject} misses the argument {parameter.name!r}"
                raise TypeError(msg)
            bound.append(value)
        if left:
            msg = f"{subject} takes no argument {next(iter(left))!r}"
            raise TypeError(msg)
        return tuple(bound)

    def is_exact(self, arguments: tuple[object, ...]) -> bool:
        """Whether the class of every argument is enough to take it as it is; arguments in the order of parameters."""
        for exact, value in zip(self._exact, arguments, strict=False):  # noqa: SIM110 -- a hot path, all() costs twice
            if type(value) not in exact:
                return False
        return True

    def accept(self, arguments: tuple[object, ...], *, subject: str) -> tuple[object, ...]:
        """Check arguments made inside this process; what is returned is what the unit may see.

        Raises:
            InputError: An argument breaks its contract.
        """
        accepted: list[object] = []
        for parameter, value in zip(self.parameters, arguments, strict=True):
            if type(value) in parameter.shape.exact:
                accepted.append(value)
                continue
            try:
                accepted.append(parameter.shape.accept(value))
            except BrokenValueError as error:
                raise InputError(subject, self._located(parameter, error.violations)) from None
        return tuple(accepted)

    def decode(self, document: JsonValue, *, subject: str) -> tuple[object, ...]:
        """Turn an input document into arguments.

        Raises:
            InputError: The document breaks the contract; names the JSON pointer.
        """
        if violations := self.takes.violations(document):
            raise InputError(subject, violations)
        values = {self.parameters[0].name: document} if self.is_whole else document
        if not isinstance(values, dict):
            raise InputError(subject, [Violation(pointer="", message="the input is not an object", keyword="type")])
        arguments: list[object] = []
        for parameter in self.parameters:
            if parameter.name not in values:
                arguments.append(parameter.default)
                continue
            try:
                arguments.append(parameter.shape.decode(values[parameter.name]))
            except BrokenValueError as error:
                raise InputError(subject, self._located(parameter, error.violations)) from None
        return tuple(arguments)

    def encode(self, arguments: tuple[object, ...]) -> JsonValue:
        """The input document of accepted arguments."""
        if self.is_whole:
            return self.parameters[0].shape.encode(arguments[0])
        return {
            parameter.name: parameter.shape.encode(value)
            for parameter, value in zip(self.parameters, arguments, strict=True)
        }

    def _located(self, parameter: Parameter, violations: tuple[Violation, ...]) -> list[Violation]:
        prefix = "" if self.is_whole else f"/{parameter.name}"
        return [
            Violation(pointer=prefix + found.pointer, message=found.message, keyword=found.keyword)
            for found in violations
        ]


def _hints(
    function: Callable[..., object], subject: str, where: str, local: Mapping[str, object]
) -> dict[str, Any]:
    try:
        return get_type_hints(function, localns=dict(local), include_extras=True)
    except NameError as error:
        message = f"the annotation {error.name!r} of {subject} is not known here: import it, or define it above"
        raise DeclarationError(subject, [Problem(code="no_contract", message=message, where=where)]) from None


def _refusal(parameter: inspect.Parameter, hints: Mapping[str, object]) -> str | None:
    if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
        return f"{parameter} has no fixed shape: name every parameter"
    if parameter.kind is parameter.POSITIONAL_ONLY:
        return f"the parameter {parameter.name!r} is positional-only, so its input would have no name: drop the '/'"
    if parameter.name not in hints:
        return f"the parameter {parameter.name!r} has no annotation: say what it takes"
    return None


def _is_whole_input(annotation: object) -> bool:
    if get_origin(annotation) is Annotated:
        return _is_whole_input(get_args(annotation)[0])
    return is_union(annotation) or (
        isinstance(annotation, type) and issubclass(annotation, (BaseModel, DeclaredError))
    )


def _object_of(parameters: tuple[Parameter, ...]) -> Schema:
    """One object schema over the parameters; each parameter keeps its own definitions under its name."""
    properties: dict[str, JsonValue] = {}
    shared: dict[str, JsonValue] = {}
    required: list[JsonValue] = []
    for parameter in parameters:
        document = parameter.shape.takes.json
        if isinstance(document, dict):
            document = dict(document)
            definitions = document.pop("$defs", None)
            if isinstance(definitions, dict):
                clash = any(name in shared and shared[name] != found for name, found in definitions.items())
                if clash:
                    document = _renamed(document, parameter.name)
                    definitions = {
                        f"{parameter.name}.{name}": _renamed(found, parameter.name)
                        for name, found in definitions.items()
                    }
                shared.update(definitions)
            if parameter.default is not MISSING:
                document["default"] = parameter.shape.encode(parameter.default)
        properties[parameter.name] = document
        if parameter.default is MISSING:
            required.append(parameter.name)
    found: dict[str, JsonValue] = {"type": "object", "properties": properties}
    if required:
        found["required"] = required
    if shared:
        found["$defs"] = shared
    return Schema(found)


def _renamed(node: Any, prefix: str) -> Any:  # noqa: ANN401 -- a walk over JSON
    if isinstance(node, list):
        return [_renamed(item, prefix) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value.replace("#/$defs/", f"#/$defs/{prefix}.") if key == "$ref" and isinstance(value, str) else _renamed(value, prefix)
        for key, value in node.items()
    }
