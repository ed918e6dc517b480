"""The models of an app: code names an alias, and the app says which model is meant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from fishplate.core.errors import UsageError
from fishplate.models.model import Model, ModelAnswer
from fishplate.models.prices import PriceBook


class Models:
    """Models by alias.

    Args:
        models: As the app is configured.
        prices: What their requests cost.
    """

    def __init__(self, models: Mapping[str, Model], prices: PriceBook | None = None) -> None:
        self._models = dict(models)
        self._prices = prices

    def get(self, alias: str) -> Model:
        """The model that an alias means.

        Raises:
            UsageError: The app configures no such alias (code `unknown_model`).
        """
        try:
            return self._models[alias]
        except KeyError:
            raise UsageError(no_model(alias, self._models), code="unknown_model") from None

    def priced(self, model: Model, answer: ModelAnswer, at: datetime) -> ModelAnswer:
        """The answer with what it costs, which the provider's own word decides if there is one."""
        if self._prices is None or answer.cost.nanos is not None:
            return answer
        cost = self._prices.cost(model.name, answer.usage, at)
        return answer.model_copy(update={"cost": cost})


def no_model(alias: str, models: Mapping[str, object]) -> str:
    """What is said where an alias means nothing."""
    has = ", ".join(sorted(models)) or "none"
    return (
        f"the app has no model {alias!r} (it has: {has}): "
        f"configure it, App(models={{{alias!r}: model}})"
    )
