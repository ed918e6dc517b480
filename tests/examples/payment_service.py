"""The payment service as tests meet it: misbehaving on request, and asked what it has done."""

from __future__ import annotations

import json
from collections import Counter
from urllib.request import Request, urlopen

from examples.order_support.payments import PaymentFault, PaymentFaultMode


def misbehave(url: str, mode: PaymentFaultMode, *, delay: float = 5.0) -> None:
    """Let the service behave so from its next refund on."""
    body = PaymentFault(mode=mode, delay=delay).model_dump_json().encode()
    with urlopen(Request(f"{url}/fault", data=body), timeout=30) as answer:
        assert answer.status == 200


def charges(url: str) -> Counter[str]:
    """How often the service has refunded each order, by its own count."""
    with urlopen(f"{url}/charges", timeout=30) as answer:
        return Counter(charge["order_id"] for charge in json.load(answer)["charges"])
