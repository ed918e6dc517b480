"""The models of an app: code names an alias, and the app says which model is meant."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast

from fishplate.core.errors import Problem, ProblemList, UsageError
from fishplate.core.spending import MOST_NANOS, is_count, is_currency
from fishplate.models.model import UNKNOWN_COST, Cost, Features, Model, ModelAnswer
from fishplate.models.prices import PriceBook

_LOG: Final = logging.getLogger("fishplate.models")
_PARTS: Final = ("name", "pinned", "features", "request")
_MISSING: Final = object()


class Models:
    """Models by alias.

    Args:
        models: As the app is configured.
        prices: What their requests cost.

    Attributes:
        by_alias: The models.

    Raises:
        DeclarationError: Something stands there that is no model (code `not_a_model`), or under
            what is no alias (code `bad_alias`); holds every problem.
    """

    def __init__(self, models: Mapping[str, Model], prices: PriceBook | None = None) -> None:
        _check(models)
        self.by_alias: Mapping[str, Model] = dict(models)
        self._prices = prices

    def get(self, alias: str) -> Model:
        """The model that an alias means.

        Raises:
            UsageError: The app configures no such alias (code `unknown_model`).
        """
        try:
            return self.by_alias[alias]
        except KeyError:
            raise UsageError(no_model(alias, self.by_alias), code="unknown_model") from None

    def priced(self, model: Model, answer: ModelAnswer, at: datetime) -> ModelAnswer:
        """The answer with what it costs, which the provider's own word decides if there is one.

        What is no amount of money, be it negative or beyond all reason, is unknown.
        """
        cost = answer.cost
        if cost.nanos is None:
            if self._prices is None:
                return answer
            cost = _cost_by(self._prices, model.name, answer, at)
        is_known = is_count(cost.nanos, MOST_NANOS) and is_currency(cost.currency)
        return answer.model_copy(update={"cost": cost if is_known else UNKNOWN_COST})


def _cost_by(prices: PriceBook, model: str, answer: ModelAnswer, at: datetime) -> Cost:
    """What a price book says; an answer that was paid for is not lost because it fails."""
    try:
        return prices.cost(model, answer.usage, at)
    except Exception as error:  # noqa: BLE001 -- of anybody's making
        _LOG.warning(
            "the price book %s raised %s for the model %r, whose cost is unknown then",
            *(type(prices).__name__, type(error).__name__, model),
        )
        return UNKNOWN_COST


def no_model(alias: str, models: Mapping[str, object]) -> str:
    """What is said where an alias means nothing."""
    has = ", ".join(sorted(models)) or "none"
    return (
        f"the app has no model {alias!r} (it has: {has}): "
        f"configure it, App(models={{{alias!r}: model}})"
    )


def _check(models: object) -> None:
    """Refuse what is no table of models; what was typed may be anything.

    A text is never shown: it may be a key that stands in the wrong place.
    """
    problems = ProblemList("the app")
    if not isinstance(models, Mapping):
        message = (
            f"models= is a {type(models).__name__!r}: name each model by its alias, "
            "App(models={'fast': model})"
        )
        problems.add(Problem(code="not_a_model", message=message))
        problems.raise_if_any()
    for alias, found in cast("Mapping[object, object]", models).items():
        if not isinstance(alias, str) or not alias:
            message = f"{alias!r} in models= is no alias: name the model by a text, as agents do"
            problems.add(Problem(code="bad_alias", message=message))
        elif (flaw := _flaw(found)) is not None:
            message = f"what stands behind the alias {alias!r} is no model: it {flaw}"
            problems.add(Problem(code="not_a_model", message=message))
    problems.raise_if_any()


def _flaw(found: object) -> str | None:
    """What is wrong with a model, and what to do; `None` if it has all that a model has."""
    match found:
        case None:
            return "is None. Configure a model, or leave the alias out"
        case str():
            return (
                "is a text. Make a model of its name: ProviderModel('openai:...'), from "
                "fishplate.models.providers"
            )
        case type():
            return f"is a class. Make an object of it: {found.__name__}(...)"
        case _:
            parts = {part: cast("object", getattr(found, part, _MISSING)) for part in _PARTS}
            what = _missing(parts) or _wrong(*parts.values())
            return None if what is None else f"is a {type(found).__name__!r} {what}"


def _missing(parts: Mapping[str, object]) -> str | None:
    missing = [repr(part) for part, value in parts.items() if value is _MISSING]
    if not missing:
        return None
    return f"without {' and '.join(missing)}. fishplate.models.model.Model says what a model has"


def _wrong(name: object, pinned: object, features: object, request: object) -> str | None:
    if not isinstance(name, str) or not name:
        return "whose 'name' is no text, or empty. Name what is configured"
    if pinned is not None and not isinstance(pinned, str):
        return "whose 'pinned' is no text. Give the snapshot's name, or None"
    if not isinstance(features, Features):
        return (
            f"whose 'features' are a {type(features).__name__!r}. Give "
            "fishplate.models.model.Features(...)"
        )
    if not _takes_one(request):
        return (
            "whose 'request' cannot be called with one request and awaited. Write "
            "async def request(self, request), which returns a ModelAnswer"
        )
    return None


def _takes_one(request: object) -> bool:
    """Whether something may be called with one argument; generators are never awaited."""
    if not callable(request) or inspect.isasyncgenfunction(request):
        return False
    if inspect.isgeneratorfunction(request):
        return False
    try:
        inspect.signature(request).bind(None)
    except TypeError:
        return False
    except ValueError:  # compiled code may not tell what it takes
        return True
    return True
