"""A function's annotations as a contract: what makes up the input, and what the output is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, get_args, get_origin, get_type_hints

from pydantic_core import to_json

from fishplate.contracts.anatomy import is_object_type, is_union
from fishplate.contracts.json import escape_token
from fishplate.contracts.parts import side_by_side
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.contracts.spelling import spelled
from fishplate.core.data import dataclass
from fishplate.core.errors import (
    DeclarationError,
    InputError,
    JsonValue,
    OutputError,
    Problem,
    ProblemList,
    Violation,
)

MISSING: Final = object()


class ArgumentsError(TypeError):
    """The arguments of a call do not fit the parameters; the message is whole without the class."""


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
        is_whole: The only parameter is the whole input; otherwise the input is an object of the
            parameters.
        output: Shape of what comes back.
        takes: Schema of the input.
    """

    __slots__ = ("_exact", "arity", "is_whole", "output", "parameters", "takes")

    def __init__(
        self, parameters: tuple[Parameter, ...], *, is_whole: bool, output: Shape[Any]
    ) -> None:
        self.parameters = parameters
        self.arity = len(parameters)
        self._exact = tuple(parameter.shape.exact for parameter in parameters)
        self.is_whole = is_whole
        self.output = output
        self.takes = parameters[0].shape.takes if is_whole else _object_of(parameters)

    @staticmethod
    def of(
        function: Callable[..., object],
        *,
        subject: str,
        where: str,
        local: Mapping[str, object],
        inside: type | None = None,
    ) -> Signature:
        """Read a function's annotations.

        Args:
            function: A plain or async function.
            subject: What it is called in errors.
            where: `file:line` of its source.
            local: Names visible where it was declared, for annotations that its globals do not
                know.
            inside: Generic class that the function returns; the output is its argument.

        Raises:
            DeclarationError: A parameter or the result cannot stand in a contract; holds every
                problem that was found.
        """
        reader = _Reader(subject, where, _hints(function, subject, where, local))
        parameters = [
            read
            for parameter in inspect.signature(function).parameters.values()
            if (read := reader.parameter(parameter)) is not None
        ]
        output = reader.output(inside)
        reader.problems.raise_if_any()
        assert output is not None
        is_whole = (
            len(parameters) == 1
            and parameters[0].default is MISSING
            and _is_whole_input(reader.hints[parameters[0].name])
        )
        return Signature(tuple(parameters), is_whole=is_whole, output=output)

    @property
    def input_fields(self) -> tuple[str, ...]:
        """Names of the input's fields, by Python name."""
        if self.is_whole:
            return tuple(self.parameters[0].shape.fields())
        return tuple(parameter.name for parameter in self.parameters)

    def bind(
        self, arguments: tuple[object, ...], named: Mapping[str, object], *, subject: str
    ) -> tuple[object, ...]:
        """Bring arguments into the order of the parameters, defaults filled in.

        Raises:
            ArgumentsError: Where Python's own call would: missing, unknown, or given twice.
        """
        if len(arguments) > self.arity:
            many = "one argument" if self.arity == 1 else f"{self.arity} arguments"
            msg = f"{subject} takes {many}, {len(arguments)} were given"
            raise ArgumentsError(msg)
        left = dict(named)
        bound = list(arguments)
        for parameter in self.parameters[: len(arguments)]:
            if parameter.name in left:
                msg = f"{subject} got {parameter.name!r} twice"
                raise ArgumentsError(msg)
        for parameter in self.parameters[len(arguments) :]:
            value = left.pop(parameter.name, parameter.default)
            if value is MISSING:
                msg = self._unknown(named, subject) or (
                    f"{subject} misses the argument {parameter.name!r}"
                )
                raise ArgumentsError(msg)
            bound.append(value)
        if left:
            raise ArgumentsError(self._unknown(left, subject))
        return tuple(bound)

    def _unknown(self, named: Mapping[str, object], subject: str) -> str | None:
        """What is wrong with the first name that is no parameter, or `None`."""
        names = [parameter.name for parameter in self.parameters]
        unknown = next((name for name in named if name not in names), None)
        if unknown is None:
            return None
        return f"{subject} takes no argument {unknown!r}; it takes: {', '.join(names) or 'none'}"

    def is_exact(self, arguments: tuple[object, ...]) -> bool:
        """Whether the class of each argument, in order, is enough to take it as it is."""
        for exact, value in zip(self._exact, arguments, strict=False):
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
        values = {self.parameters[0].name: document} if self.is_whole else document
        if not isinstance(values, dict):
            names = ", ".join(f'"{parameter.name}": ...' for parameter in self.parameters)
            message = f"the input is an object with the parameters by name: {{{names}}}"
            raise InputError(subject, [Violation(pointer="", message=message, keyword="type")])
        if violations := self.takes.violations(document):
            raise InputError(subject, violations)
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

    def to_json(self, arguments: tuple[object, ...]) -> bytes:
        """The JSON text of the input document of accepted arguments."""
        if self.is_whole:
            return self.parameters[0].shape.to_json(arguments[0])
        return to_json(self.encode(arguments))

    def input_json(self, arguments: tuple[object, ...], *, subject: str) -> bytes:
        """The same, of arguments that come from outside: who gives them is to blame for them.

        Raises:
            InputError: Readers of JSON would not agree on it; names the JSON pointer.
        """
        try:
            return self.to_json(arguments)
        except OutputError:
            for parameter, value in zip(self.parameters, arguments, strict=True):
                try:
                    parameter.shape.encode(value)
                except OutputError as error:
                    raise InputError(subject, self._located(parameter, error.violations)) from None
            raise

    def unjudged(self, arguments: tuple[object, ...]) -> object:
        """The input document as it is, see `Shape.unjudged`."""
        if self.is_whole:
            return self.parameters[0].shape.unjudged(arguments[0])
        return {
            parameter.name: parameter.shape.unjudged(value)
            for parameter, value in zip(self.parameters, arguments, strict=True)
        }

    def _located(self, parameter: Parameter, violations: tuple[Violation, ...]) -> list[Violation]:
        prefix = "" if self.is_whole else f"/{escape_token(parameter.name)}"
        return [replace(found, pointer=prefix + found.pointer) for found in violations]


class _Reader:
    """Reads one function's annotations and gathers everything that is wrong with them."""

    def __init__(self, subject: str, where: str, hints: Mapping[str, object]) -> None:
        self.hints = hints
        self.problems = ProblemList(subject)
        self._where = where

    def parameter(self, parameter: inspect.Parameter) -> Parameter | None:
        if reason := _refusal(parameter, self.hints):
            self._wrong(reason)
            return None
        shape = self._shape(self.hints[parameter.name], f"the parameter {parameter.name!r}")
        if shape is None:
            return None
        if parameter.default is parameter.empty:
            return Parameter(name=parameter.name, shape=shape)
        try:
            default = shape.accept(parameter.default)
            shape.encode(default)
        except (BrokenValueError, OutputError) as error:
            message = f"the default of {parameter.name!r} breaks its own type: {error}"
            self._wrong(message, code="bad_default")
            return None
        return Parameter(name=parameter.name, shape=shape, default=default)

    def output(self, inside: type | None) -> Shape[Any] | None:
        if "return" not in self.hints:
            subject = self.problems.subject
            self._wrong(f"{subject} does not say what it returns: add a return annotation")
            return None
        annotation = self.hints["return"]
        if inside is not None:
            if get_origin(annotation) is not inside:
                self._wrong(
                    f"{self.problems.subject} returns {spelled(annotation)}: write "
                    f"-> {inside.__name__}[...] with the type of the answer in the brackets"
                )
                return None
            (annotation,) = get_args(annotation)
        shape = self._shape(annotation, "the output")
        if shape is not None and shape.anatomy is not None:
            for reason in shape.anatomy.output_refusals:
                self._wrong(f"the output: {reason}")
        return shape

    def _shape(self, annotation: object, role: str) -> Shape[Any] | None:
        try:
            return Shape.of(annotation, where=self._where)
        except DeclarationError as error:
            for problem in error.problems:
                self.problems.add(replace(problem, message=f"{role}: {problem.message}"))
            return None

    def _wrong(self, message: str, *, code: str = "no_contract") -> None:
        self.problems.add(Problem(code=code, message=message, where=self._where))


def _hints(
    function: Callable[..., object], subject: str, where: str, local: Mapping[str, object]
) -> Mapping[str, object]:
    try:
        return get_type_hints(function, localns=dict(local), include_extras=True)
    except NameError as error:
        unknown = error.name
        message = (
            f"the annotation {unknown!r} of {subject} is not known here: import it, "
            "or define it above"
        )
    except (AttributeError, SyntaxError, TypeError) as error:
        message = f"the annotations of {subject} cannot be read: {error}"
    raise DeclarationError(subject, [Problem(code="no_contract", message=message, where=where)])


def _refusal(parameter: inspect.Parameter, hints: Mapping[str, object]) -> str | None:
    if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
        return f"{parameter} has no fixed shape: name every parameter"
    if parameter.kind is parameter.POSITIONAL_ONLY:
        return (
            f"the parameter {parameter.name!r} is positional-only, so its input would have no "
            "name: drop the '/'"
        )
    if parameter.name not in hints:
        return f"the parameter {parameter.name!r} has no annotation: say what it takes"
    return None


def _is_whole_input(annotation: object) -> bool:
    return is_union(annotation) or is_object_type(annotation)


def _object_of(parameters: tuple[Parameter, ...]) -> Schema:
    """One object schema over the parameters."""
    documents = {parameter.name: parameter.shape.takes.json for parameter in parameters}
    properties, shared = side_by_side(documents)
    for parameter in parameters:
        document = properties[parameter.name]
        if parameter.default is not MISSING and isinstance(document, dict):
            default = parameter.shape.encode(parameter.default)
            properties[parameter.name] = {**document, "default": default}
    required = [parameter.name for parameter in parameters if parameter.default is MISSING]
    found: dict[str, JsonValue] = {"type": "object", "properties": properties}
    if required:
        found["required"] = list[JsonValue](required)
    if shared:
        found["$defs"] = shared
    return Schema(found)
