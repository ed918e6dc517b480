"""Records what a small model makes of the replies of order support, for a person to judge.

After `python3 dev.py wire` has installed the model:

    .venv/bin/python -m tests.wire.record_wordings replies.jsonl

It asks as `rewrite` of the example does, and once more with two examples before it, at several
temperatures and seeds. Each answer is a line of JSON: `facts`, `text`, `prompt`, `temperature`,
`seed` and `finish_reason`. The same machine writes the same lines again. Those that a person has
judged stand in `tests/examples/wordings`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, get_args

from pydantic import TypeAdapter

from examples.order_support.model_agents import Draft, rewrite
from examples.order_support.models import SMS_LENGTH, Channel
from examples.order_support.shop import Shop
from examples.order_support.shop_database import DATA
from examples.order_support.shop_rules import EmailIdentity, Order, OrderStatus
from examples.order_support.workflow import support
from fishplate import Prompt
from fishplate.models.model import ModelRequest, ModelSettings
from tests.examples.stage import make_stage
from tests.wire.server import serving

QUESTIONS: Final = (
    "What is the status of my order {}?",
    "Which day will the courier deliver order {}?",
    "Order {} arrived broken, I want my money back.",
    "I changed my mind about order {} and want a refund.",
)
CHANNELS: Final[tuple[Channel, ...]] = ("chat", "sms")
SETTINGS: Final = ((0.0, 1), (0.4, 1), (0.4, 2), (0.8, 1), (0.8, 2))  # temperature and seed
ORDERS_OF_A_STATUS: Final = 3
MOST_TOKENS: Final = 120
SHOWN: Final = (
    (
        "Order #W1000001 is pending and has not been sent yet. It holds 1 item for 20.50: Mug.",
        (
            "Thank you for asking. Your order #W1000001 is still pending and has not been sent "
            "yet. It holds 1 item for 20.50: Mug."
        ),
    ),
    (
        "Order #W1000002 was delivered 3 days ago, so it cannot be exchanged.",
        "We are sorry: your order #W1000002 was delivered 3 days ago, so it cannot be exchanged.",
    ),
)


def main(path: str) -> None:
    """Write all answers to a new file."""
    asyncio.run(_record(Path(path)))


async def _record(path: Path) -> None:
    facts = dict.fromkeys([text async for text in _facts()])
    with serving() as server, path.open("x", encoding="utf-8") as file:
        model = server.asked()
        for text, name, (temperature, seed) in product(facts, ("rewrite", "shown"), SETTINGS):
            settings = ModelSettings(max_tokens=MOST_TOKENS, temperature=temperature, seed=seed)
            messages = _prompt(text, name).messages()
            answer = await model.request(ModelRequest(messages=messages, settings=settings))
            line = {
                "facts": text,
                "text": answer.text.strip(),
                "prompt": name,
                "temperature": temperature,
                "seed": seed,
                "finish_reason": answer.finish_reason,
            }
            print(json.dumps(line, ensure_ascii=False), file=file, flush=True)
        await model.close()


def _prompt(facts: str, name: str) -> Prompt[str]:
    """What the example asks of a model, or the same with examples before it."""
    longest = SMS_LENGTH if len(facts) <= SMS_LENGTH else 4 * len(facts)
    asked = rewrite.prompt(Draft(text=facts, longest=longest))
    if name == "rewrite":
        return asked
    system = "Rewrite a reply of an online shop in kind and plain words."
    return Prompt(system=system, user=asked.user, examples=SHOWN)


async def _facts() -> AsyncIterator[str]:
    """The replies of the example to every question about orders of every status."""
    with TemporaryDirectory() as folder:
        database = Path(folder) / "shop.db"
        shop = Shop.open(str(database))
        stage = make_stage(database)
        async with stage.app:
            for order in _orders():
                customer = EmailIdentity(email=shop.get_user_details(order.user_id).email)
                for number, question in enumerate(QUESTIONS):
                    channel = CHANNELS[number % len(CHANNELS)]
                    text = question.format(order.order_id)
                    yield (await stage.ask(support, text, customer, channel)).reply.text
        shop.close()


def _orders() -> Iterator[Order]:
    """The first orders of each status, as the shop's data has them."""
    orders = TypeAdapter(dict[str, Order]).validate_json((DATA / "orders.json").read_bytes())
    for status in get_args(OrderStatus):
        found = (order for order in orders.values() if order.status == status)
        yield from islice(found, ORDERS_OF_A_STATUS)


if __name__ == "__main__":
    main(*sys.argv[1:])
