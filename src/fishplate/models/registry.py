"""The models of an app: code names an alias, and the app says which model is meant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from fishplate.core.errors import UsageError
from fishplate.core.spending import MOST_NANOS, is_count, is_currency
from fishplate.models.model import UNKNOWN_COST, Model, ModelAnswer
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
        """The answer with what it costs, which the provider's own word decides if there is one.

        What is no amount of money, be it negative or beyond all reason, is unknown.
        """
        cost = answer.cost
        if cost.nanos is None:
            if self._prices is None:
                return answer
            cost = self._prices.cost(model.name, answer.usage, at)
        is_known = is_count(cost.nanos, MOST_NANOS) and is_currency(cost.currency)
        return answer.model_copy(update={"cost": cost if is_known else UNKNOWN_COST})


def no_model(alias: str, models: Mapping[str, object]) -> str:
    """What is said where an alias means nothing."""
    has = ", ".join(sorted(models)) or "none"
    return (
        f"the app has no model {alias!r} (it has: {has}): "
        f"configure it, App(models={{{alias!r}: model}})"
    )
