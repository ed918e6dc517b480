"""The JSON form of a policy: an object with the fields that are set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self, cast

from fishplate.core.errors import JsonValue


class Settings:
    """Base of the policy classes, which are frozen dataclasses that judge their own values."""

    __slots__ = ()

    _parts: ClassVar[Mapping[str, type[Settings]]] = {}

    def to_json(self) -> dict[str, JsonValue]:
        """The policy as it stands in a release; what is `None` is left out."""
        found: dict[str, JsonValue] = {}
        for field in fields(cast("Any", self)):  # every subclass is a dataclass
            value: object = getattr(self, field.name)
            if isinstance(value, Settings):
                found[field.name] = value.to_json()
            elif isinstance(value, (bool, int, float, str)):
                found[field.name] = value
        return found

    @classmethod
    def from_json(cls, value: JsonValue) -> Self:
        """Read what `to_json` gave.

        Raises:
            ValueError: The value is not an object, has an unknown field, or a field is impossible.
        """
        if not isinstance(value, dict):
            msg = f"{cls.__name__}: expected a JSON object, got {type(value).__name__}"
            raise ValueError(msg)  # noqa: TRY004 -- data from outside, not a wrong call
        names = [field.name for field in fields(cast("Any", cls))]  # every subclass is a dataclass
        unknown = sorted(set(value) - set(names))
        if unknown:
            known = ", ".join(names)
            msg = f"{cls.__name__}: unknown field {unknown[0]!r}; the fields are {known}"
            raise ValueError(msg)
        given: dict[str, object] = {}
        for name, found in value.items():
            is_part = name in cls._parts and found is not None and found != "off"
            given[name] = cls._parts[name].from_json(found) if is_part else found
        # The fields of the subclass, which judges their values itself.
        return cast("Callable[..., Self]", cls)(**given)
