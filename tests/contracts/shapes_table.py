"""Types that can stand at a boundary, each with a strategy for its values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import date, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Self,
    TypeVar,
)
from uuid import UUID

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel, model_validator
from typing_extensions import TypeAliasType, TypedDict

from fishplate import DeclaredError

T = TypeVar("T")
OrderId = NewType("OrderId", str)


class Reason(Enum):
    """Words."""

    DAMAGED = "damaged"
    LATE = "late"


class Level(IntEnum):
    """Numbers."""

    LOW = 1
    HIGH = 2


class Colour(StrEnum):
    """Texts that are words."""

    RED = "red"


class Line(BaseModel):
    """A plain model."""

    sku: str
    count: int = 1


class Priced(Line):
    """A subclass."""

    price: Decimal = Decimal(0)


class Order(BaseModel):
    """A model of models."""

    lines: list[Line]
    first: Line | None = None
    by_name: dict[str, Line] = {}
    weight: float | None = None


class Node(BaseModel):
    """A recursive model."""

    name: str
    children: list[Node] = []


class Cat(BaseModel):
    """A member with a tag."""

    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    """Another one."""

    kind: Literal["dog"] = "dog"
    name: str


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
Named = TypeAliasType("Named", Cat | Dog)


class Page(BaseModel, Generic[T]):
    """A generic model."""

    items: list[T]


class Aliased(BaseModel):
    """Names of Python that are not those of JSON."""

    model_config = ConfigDict(populate_by_name=True)

    order_id: Annotated[str, Field(alias="orderId")]
    type_: Annotated[str, Field(alias="type")] = "x"


class Checked(BaseModel):
    """A model that looks at its own values."""

    low: int
    high: int

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Open(BaseModel):
    """A model that takes more than it says."""

    model_config = ConfigDict(extra="allow")

    name: str


class Ids(RootModel[list[int]]):
    """A list with a name."""


@dataclasses.dataclass
class Point:
    """A dataclass."""

    x: int
    y: int = 0


class Sparse(TypedDict):
    """A typed dict."""

    name: str
    note: NotRequired[str]


class Pair(NamedTuple):
    """A named tuple."""

    left: int
    right: str


class NotFoundError(DeclaredError):
    """A declared error."""

    order_id: str
    tries: int = 1


numbers = st.integers(-(2**53), 2**53)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=3)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
lines = st.builds(Line, sku=texts, count=numbers)
cats = st.builds(Cat, lives=numbers)
dogs = st.builds(Dog, name=texts)
orders = st.builds(
    Order,
    lines=st.lists(lines, max_size=2),
    first=st.none() | lines,
    by_name=st.dictionaries(texts, lines, max_size=2),
    weight=st.none() | floats,
)
nodes: st.SearchStrategy[Node] = st.deferred(
    lambda: st.builds(Node, name=texts, children=st.lists(nodes, max_size=1))
)

TYPES: Final[Mapping[str, tuple[Any, st.SearchStrategy[Any]]]] = {
    "str": (str, texts),
    "int": (int, numbers),
    "bool": (bool, st.booleans()),
    "float": (float, floats),
    "none": (None, st.none()),
    "decimal": (Decimal, decimals),
    "uuid": (UUID, st.uuids()),
    "date": (date, st.dates()),
    "datetime": (AwareDatetime, st.datetimes(timezones=zones)),
    "duration": (timedelta, st.timedeltas(timedelta(days=-300), timedelta(days=300))),
    "enum": (Reason, st.sampled_from(Reason)),
    "int enum": (Level, st.sampled_from(Level)),
    "str enum": (Colour, st.sampled_from(Colour)),
    "literal": (Literal["a", 1, True], st.sampled_from(["a", 1, True])),
    "new type": (OrderId, texts),
    "short text": (Annotated[str, Field(max_length=3)], texts.map(lambda found: found[:3])),
    "list": (list[int], st.lists(numbers)),
    "sequence": (Sequence[int], st.lists(numbers)),
    "set": (set[int], st.sets(numbers)),
    "frozen set": (frozenset[str], st.frozensets(texts)),
    "tuple": (tuple[int, str], st.tuples(numbers, texts)),
    "long tuple": (tuple[int, ...], st.lists(numbers).map(tuple)),
    "dict": (dict[str, float], st.dictionaries(texts, floats)),
    "dict by number": (dict[int, str], st.dictionaries(numbers, texts)),
    "dict by id": (dict[UUID, int], st.dictionaries(st.uuids(), numbers)),
    "optional": (int | None, st.none() | numbers),
    "text or number": (int | str, numbers | texts),
    "model": (Line, lines),
    "model of models": (Order, orders),
    "list of models": (list[Order], st.lists(orders, max_size=2)),
    "recursive": (Node, nodes),
    "union": (Cat | Dog, cats | dogs),
    "discriminated": (Pet, cats | dogs),
    "list of a union": (list[Pet], st.lists(cats | dogs, max_size=3)),
    "named union": (Named, cats | dogs),
    "generic": (Page[Line], st.builds(Page[Line], items=st.lists(lines, max_size=2))),
    "aliased": (Aliased, st.builds(Aliased, order_id=texts, type_=texts)),
    "checked": (
        Checked,
        st.tuples(numbers, numbers).map(lambda p: Checked(low=min(p), high=max(p))),
    ),
    "open": (Open, st.builds(Open, name=texts, other=texts | st.lists(numbers))),
    "root model": (Ids, st.builds(Ids, st.lists(numbers))),
    "dataclass": (Point, st.builds(Point, x=numbers, y=numbers)),
    "list of dataclasses": (list[Point], st.lists(st.builds(Point, x=numbers))),
    "typed dict": (Sparse, st.fixed_dictionaries({"name": texts}, optional={"note": texts})),
    "named tuple": (Pair, st.builds(Pair, numbers, texts)),
    "declared error": (NotFoundError, st.builds(NotFoundError, order_id=texts, tries=numbers)),
    "union with an error": (
        Line | NotFoundError,
        lines | st.builds(NotFoundError, order_id=texts),
    ),
    "anything": (Any, st.recursive(st.none() | numbers | texts, st.lists, max_leaves=3)),
}
