"""What a request to a model costs: whole billionths of a currency, and unknown is never zero.

Whatever is summed is whole numbers, rounded once for each request from an exact decimal: one small
request is some ten thousand nanos, which a thousandth of a cent would round away.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, Protocol

from fishplate.core.data import dataclass
from fishplate.core.errors import MissingExtraError
from fishplate.core.spending import is_currency
from fishplate.models.model import UNKNOWN_COST, Cost, CostSource, Usage

_TOKENS: Final = Decimal(1_000_000)  # prices are told for a million
_NANOS: Final = Decimal(1_000_000_000)


class PriceBook(Protocol):
    """Knows what requests cost."""

    def cost(self, model: str, usage: Usage, at: datetime) -> Cost:
        """What a request costs.

        Args:
            model: As it is configured, e.g. `openai:gpt-5-mini`.
            usage: What it took, as its provider counts it.
            at: When it was made, aware; prices change.

        Returns:
            The cost; `UNKNOWN_COST` if the model, or what it took, is not known.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What a million tokens of a model cost.

    Attributes:
        input: Those that go in and come from no cache.
        output: Those that come out, reasoning included.
        cache_read: Those that a cache held; like the others that go in if it is left out.
        cache_write: Those that are put into a cache; likewise.
        currency: Three letters of ISO 4217.
    """

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    currency: str = "USD"

    def __post_init__(self) -> None:
        """Refuse what is no price."""
        for name in ("input", "output", "cache_read", "cache_write"):
            value: object = getattr(self, name)
            if value is None and name.startswith("cache"):
                continue
            if not isinstance(value, Decimal) or not value.is_finite() or value < 0:
                msg = f"Price({name}={value!r}): a finite Decimal, at least 0"
                raise ValueError(msg)
        if not is_currency(self.currency):
            msg = f"Price(currency={self.currency!r}): three letters of ISO 4217, e.g. 'EUR'"
            raise ValueError(msg)

    def of(self, usage: Usage) -> Decimal | None:
        """The price of some tokens; `None` if nobody has counted them."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        read, write = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
        plain = max(0, usage.input_tokens - read - write)
        million = (
            plain * self.input
            + read * (self.input if self.cache_read is None else self.cache_read)
            + write * (self.input if self.cache_write is None else self.cache_write)
            + usage.output_tokens * self.output
        )
        return million / _TOKENS


class PriceTable:
    """Prices of your own, before those of another book.

    Args:
        prices: By model, as it is configured.
        otherwise: Knows the models that are not in `prices`.
    """

    def __init__(self, prices: Mapping[str, Price], *, otherwise: PriceBook | None = None) -> None:
        self._prices = dict(prices)
        self._otherwise = otherwise

    def cost(self, model: str, usage: Usage, at: datetime) -> Cost:
        """See `PriceBook.cost`."""
        price = self._prices.get(model)
        if price is not None:
            amount = price.of(usage)
            return UNKNOWN_COST if amount is None else _cost(amount, price.currency, "override")
        return UNKNOWN_COST if self._otherwise is None else self._otherwise.cost(model, usage, at)


class PublishedPrices:
    """The prices that providers publish, as genai-prices gathers them; asks no network.

    It is made where the app is made: reading the table takes a second.

    Raises:
        MissingExtraError: The extra `models` is not installed.
    """

    def __init__(self) -> None:
        try:
            import genai_prices  # noqa: PLC0415 -- half a second, and only who asks for prices
        except ImportError as error:
            raise MissingExtraError("genai_prices", "models") from error
        self._library: Any = genai_prices
        self._amount("openai", "gpt-4o-mini", Usage(input_tokens=1, output_tokens=1), None)

    def cost(self, model: str, usage: Usage, at: datetime) -> Cost:
        """See `PriceBook.cost`."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return UNKNOWN_COST
        provider, _, name = model.partition(":")
        try:
            amount = self._amount(provider, name, usage, at)
        # Its words for a model or a provider that it does not know, and for numbers that it doubts,
        # such as more tokens read from the cache than there were.
        except (LookupError, ValueError):
            return UNKNOWN_COST
        return _cost(amount, "USD", "table")

    def _amount(self, provider: str, model: str, usage: Usage, at: datetime | None) -> Decimal:
        counted = self._library.Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )
        found = self._library.calc_price(
            counted, model_ref=model, provider_id=provider, genai_request_timestamp=at
        )
        amount: Decimal = found.total_price
        return amount


def _cost(amount: Decimal, currency: str, source: CostSource) -> Cost:
    nanos = int((amount * _NANOS).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    return Cost(nanos=nanos, currency=currency, source=source)
