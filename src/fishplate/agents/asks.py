"""What an agent needs of the models of the app that it runs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fishplate.core.errors import Problem


class Asks(Protocol):
    """What an agent needs whose calls are requests to a model."""

    @property
    def alias(self) -> str:
        """What the code calls the model; the app says which one is meant."""
        ...

    def problem(self, models: Mapping[str, object]) -> Problem | None:
        """Why an app with these models, by alias, cannot run the agent."""
        ...

    def estimated_tokens(self, arguments: tuple[object, ...]) -> int:
        """Model tokens that a call with these arguments takes at most, as far as one can tell."""
        ...

    def used_tokens(self, result: object) -> int | None:
        """Model tokens that a call took which gave this; `None` if nobody has counted them."""
        ...

    def model_name(self, models: Mapping[str, object]) -> str | None:
        """Name of the model that is meant; `None` if there is none."""
        ...
