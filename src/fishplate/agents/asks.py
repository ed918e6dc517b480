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

    def model_name(self, models: Mapping[str, object]) -> str | None:
        """Name of the model that is meant; `None` if there is none."""
        ...
