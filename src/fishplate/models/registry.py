"""The models of an app: code names an alias, and the app says which model is meant."""

from __future__ import annotations

from collections.abc import Mapping

from fishplate.core.errors import UsageError
from fishplate.models.model import Model


class Models:
    """Models by alias.

    Args:
        models: As the app is configured.
    """

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = dict(models)

    def get(self, alias: str) -> Model:
        """The model that an alias means.

        Raises:
            UsageError: The app configures no such alias (code `unknown_model`).
        """
        try:
            return self._models[alias]
        except KeyError:
            raise UsageError(no_model(alias, self._models), code="unknown_model") from None


def no_model(alias: str, models: Mapping[str, object]) -> str:
    """What is said where an alias means nothing."""
    has = ", ".join(sorted(models)) or "none"
    return (
        f"the app has no model {alias!r} (it has: {has}): "
        f"configure it, App(models={{{alias!r}: model}})"
    )
