"""Outcomes that are values: declared errors, rejections, time-outs, degraded answers."""

from __future__ import annotations

import inspect
import re
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    Self,
    TypeVar,
    dataclass_transform,
    get_type_hints,
)

import pydantic
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema
from typing_extensions import override

from fishplate.core.data import dataclass

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, eq_default=False)
class DeclaredError(Exception):
    """Base of the errors that an agent's contract declares; its annotations are its data.

    A subclass is raised like any exception, and `agent.catching(Subclass)` turns it into a value
    that a workflow routes. As JSON it is a closed object with its fields and the tag `error`.

    Example: `class NotFound(DeclaredError): order_id: str`

    Attributes:
        retry_exhausted: Whether a retry policy has given up, so that no layer above tries again.
    """

    code: ClassVar[str] = "declared_error"
    retry_exhausted: bool = False
    _model: ClassVar[type[BaseModel] | None] = None

    def __init_subclass__(cls) -> None:
        """Name the error: `OrderNotFound` has the code `order_not_found`.

        Raises:
            TypeError: A field has the name of something that every error has.
        """
        super().__init_subclass__()
        for name in inspect.get_annotations(cls):
            if name == "error" or (hasattr(DeclaredError, name) and name != "code"):
                msg = f"{cls.__name__}.{name} is taken: every declared error has one, rename it"
                raise TypeError(msg)
        cls._model = None
        if "code" not in cls.__dict__:
            cls.code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, **fields: object) -> None:
        """Check the fields.

        Raises:
            pydantic.ValidationError: A field is missing, unknown or of the wrong type.
        """
        model = self.model()
        checked = model(**fields)
        values = {name: getattr(checked, name) for name in model.model_fields if name != "error"}
        self.__dict__.update(values)
        super().__init__(
            ", ".join([self.code, *(f"{name}={value!r}" for name, value in values.items())])
        )

    def as_exhausted(self) -> Self:
        """A copy that tells all layers above not to try again."""
        copy = type(self).__new__(type(self), *self.args)
        copy.__dict__.update(self.__dict__)
        copy.__cause__ = self.__cause__
        copy.retry_exhausted = True
        return copy.with_traceback(self.__traceback__)

    @override
    def __eq__(self, other: object) -> bool:
        # By the data alone: notes that a run has added on the way make no other error.
        if not isinstance(other, DeclaredError) or type(self) is not type(other):
            return False
        return self.to_model() == other.to_model()

    @override
    def __hash__(self) -> int:
        return hash((type(self), self.args))

    @classmethod
    def model(cls) -> type[BaseModel]:
        """The model of the error's JSON form, made from the class's annotations on first use."""
        if cls._model is None:
            hints = get_type_hints(cls, include_extras=True)
            fields: dict[str, Any] = {"error": (Literal[cls.code], cls.code)}
            for name, hint in hints.items():
                if name not in DeclaredError.__annotations__:
                    fields[name] = (hint, getattr(cls, name, ...))
            cls._model = create_model(
                cls.__name__,
                __config__=ConfigDict(extra="forbid", frozen=True),
                __doc__=cls.__doc__ if cls.__doc__ != DeclaredError.__doc__ else None,
                **fields,
            )
        return cls._model

    def to_model(self) -> BaseModel:
        """The error's data as a model."""
        model = self.model()
        values = {name: getattr(self, name) for name in model.model_fields if name != "error"}
        return model.model_construct(error=self.code, **values)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Take instances as they are and JSON through the model; give JSON through the model."""
        model_schema = handler.generate_schema(cls.model())

        def build(model: BaseModel) -> DeclaredError:
            names = [name for name in type(model).model_fields if name != "error"]
            return cls(**{name: getattr(model, name) for name in names})

        from_model = core_schema.no_info_after_validator_function(build, model_schema)
        return core_schema.json_or_python_schema(
            json_schema=from_model,
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(cls), from_model]
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda error: error.to_model(), return_schema=model_schema
            ),
        )


# What follows is given, not raised. These are data classes: a model would load pydantic's fields
# and types into every program that imports fishplate. Their annotations are read when a contract is
# made of them, their values are judged at its boundary, and like models they take no other field.
_CLOSED = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """An approval that was not given."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    outcome: Literal["rejected"] = "rejected"
    reason: Literal["rejected", "expired"]
    by: str | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedOut:
    """A signal that did not come within its time."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    outcome: Literal["timed_out"] = "timed_out"
    signal: str
    within: Annotated[float, pydantic.Field(ge=0)]


@dataclass(frozen=True, kw_only=True, slots=True)
class NotDone:
    """The answer of a `lookup=`: the effect has certainly not happened, and will not any more."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    outcome: Literal["not_done"] = "not_done"


@dataclass(frozen=True, kw_only=True, slots=True)
class CannotSay:
    """The answer of a `lookup=`: whether the effect has happened cannot be told, or not yet."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    outcome: Literal["cannot_say"] = "cannot_say"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a value is degraded.

    Attributes:
        reason: What happened, e.g. the code of the error that a fallback answered.
        source: Where the value comes from instead, e.g. the name of the fallback agent.
        step: Path of the step at which it happened.
        age: Seconds since the value was true; `None` if it has no age.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    reason: str
    source: str
    step: str = ""
    age: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Degraded(Generic[T]):
    """A value with the reasons why it is degraded; no reasons means that it is not."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    value: T
    reasons: list[Reason]
