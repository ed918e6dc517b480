r"""The app of the example: every agent and tool by its name, and what they work with.

    fishplate run examples/order_support/app.py:support --input '{"text": "..."}'
    fishplate run examples/order_support/app.py:get_order_details \
        --input '{"order_id": "#W2378156"}'

`ORDER_SUPPORT_MODEL` names a language model, e.g. `openai:gpt-4o-mini`, for `support_by_model`;
its key stands where the provider's own programs look for it, and the extra `models` is needed.
`ORDER_SUPPORT_DB` names the database file. By default it is `fishplate/order_support.db` in the
user's cache folder (`$XDG_CACHE_HOME`, else `~/.cache`). It is filled at the first use, keeps what
the tools change, and is filled anew after it has been deleted. `ORDER_SUPPORT_PAYMENTS` is the URL
of the payment service; by default one is started in a process of its own at the first refund.
Beside the database are the store of the runs (`order_support.runs.db`), the payment service's file
(`order_support.payments.db`) and the questions that were sent to customers, a folder
(`order_support.outbox`).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from examples.order_support.agents import (
    cached_eta,
    customer_order,
    extraction,
    intent,
    logistics,
    order_lookup,
    response_composer,
)
from examples.order_support.carrier import Carrier
from examples.order_support.carrier_client import CarrierClient
from examples.order_support.clarification import (
    fuller_query,
    question,
    still_unclear,
    unanswered,
)
from examples.order_support.delivery import known_parcels
from examples.order_support.intents import IntentClassifier
from examples.order_support.model_agents import ALIAS, support_by_model
from examples.order_support.models import Query, Reply
from examples.order_support.outbox import Outbox
from examples.order_support.parcel_memory import ParcelMemory
from examples.order_support.payment_client import PaymentClient
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.plain import support_plain
from examples.order_support.policy_search import PolicySearch
from examples.order_support.refund_rules import RefundTable
from examples.order_support.refunds import (
    cited_rule,
    no_refund,
    pay_back,
    refund_answer,
    refund_decision,
    refund_eligibility,
)
from examples.order_support.shop import Shop
from examples.order_support.shop_clock import Calendar
from examples.order_support.tools import (
    ask_customer,
    calculate,
    cancel_pending_order,
    exchange_delivered_order_items,
    find_user_id_by_email,
    find_user_id_by_name_zip,
    get_item_details,
    get_order_details,
    get_product_details,
    get_user_details,
    issue_refund,
    list_all_product_types,
    modify_pending_order_address,
    modify_pending_order_items,
    modify_pending_order_payment,
    modify_user_address,
    return_delivered_order_items,
    track_parcel,
    transfer_to_human_agents,
)
from examples.order_support.workflow import support
from fishplate import Agent, App
from fishplate.agents.agent import AnyAgent
from fishplate.core.clock import Clock
from fishplate.models.model import Model
from fishplate.models.prices import PriceBook
from fishplate.traces.export import OtlpExport

DATABASE_VARIABLE: Final = "ORDER_SUPPORT_DB"
MODEL_VARIABLE: Final = "ORDER_SUPPORT_MODEL"
PAYMENTS_VARIABLE: Final = "ORDER_SUPPORT_PAYMENTS"

SHOP_TOOLS: Final = (
    find_user_id_by_email,
    find_user_id_by_name_zip,
    get_user_details,
    get_order_details,
    get_product_details,
    get_item_details,
    list_all_product_types,
    calculate,
    transfer_to_human_agents,
    cancel_pending_order,
    modify_pending_order_address,
    modify_pending_order_items,
    modify_pending_order_payment,
    modify_user_address,
    return_delivered_order_items,
    exchange_delivered_order_items,
)
AGENTS: Final = (
    intent,
    extraction,
    customer_order,
    order_lookup,
    refund_eligibility,
    cited_rule,
    refund_decision,
    no_refund,
    pay_back,
    refund_answer,
    logistics,
    cached_eta,
    question,
    fuller_query,
    still_unclear,
    unanswered,
    response_composer,
)


def open_shop() -> Shop:
    """Open the shop's database, where the environment or the default puts it."""
    path = database_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    return Shop.open(str(path))


def database_path() -> Path:
    """Say where the shop's database is; see the top of this file."""
    if chosen := os.environ.get(DATABASE_VARIABLE):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME")
    folder = Path(cache) if cache else Path.home() / ".cache"
    return folder / "fishplate" / "order_support.db"


def open_outbox() -> Outbox:
    """Open the outbox beside the shop's database."""
    return Outbox(database_path().with_suffix(".outbox"))


def store_url() -> str:
    """Say where the runs are kept: beside the shop's database."""
    return f"sqlite:///{database_path().with_suffix('.runs.db').absolute()}"


def start_carrier() -> Carrier:
    """Make the carrier's service, with all parcels of the shop's data; the app starts it."""
    return Carrier(known_parcels())


def find_payments() -> PaymentProcess:
    """Find the payment service that the environment names, or one that starts when it is asked."""
    return PaymentProcess(
        url=os.environ.get(PAYMENTS_VARIABLE) or None,
        file=database_path().with_suffix(".payments.db"),
    )


def make_app(  # noqa: PLR0913 -- one for each part of its world
    *,
    store: str,
    workflow: Agent[[Query], Reply] = support,
    others: Sequence[AnyAgent] = (),
    shop: Callable[[], Shop] = open_shop,
    carrier: Callable[[], Carrier] = start_carrier,
    payments: Callable[[], PaymentProcess] = find_payments,
    outbox: Callable[[], Outbox] = open_outbox,
    classifier: Callable[[], IntentClassifier] = IntentClassifier,
    calendar: Callable[[], Calendar] = Calendar,
    search: Callable[[], PolicySearch] = PolicySearch,
    rules: Callable[[], RefundTable] = RefundTable,
    clock: Clock | None = None,
    models: Mapping[str, Model] | None = None,
    prices: PriceBook | None = None,
    export: OtlpExport | None = None,
    traces: str | None = None,
) -> App:
    """Put the app together; what is given is opened with the app and closed with it.

    Args:
        store: URL of the store that keeps the runs, since some of them wait.
        workflow: Another make of `support`, e.g. with an agent exchanged.
        others: What else shall run in it, e.g. tools of the warehouse.
        shop: Opens the shop.
        carrier: Makes the carrier's service, not started yet.
        payments: Finds the payment service, which is started at its first refund.
        outbox: Opens the outbox for questions to customers.
        classifier: Makes the reader of intents.
        calendar: Tells the shop's time; by default the clock's.
        search: Makes the search in the refund policy.
        rules: Makes the table that decides refunds.
        clock: Of every run; by default the machine's.
        models: By alias; with the alias `fast` there is `support_by_model` too.
        prices: What requests to the models cost.
        export: Where spans are sent.
        traces: URL of the store that keeps what the runs did; by default nothing keeps it.
    """
    return App(
        workflow,
        support_plain,
        *([support_by_model] if models and ALIAS in models else []),
        *AGENTS,
        *SHOP_TOOLS,
        track_parcel,
        issue_refund,
        ask_customer,
        *others,
        resources={
            Shop: shop,
            Carrier: carrier,
            CarrierClient: CarrierClient,
            PaymentProcess: payments,
            PaymentClient: PaymentClient,
            Outbox: outbox,
            ParcelMemory: ParcelMemory,
            IntentClassifier: classifier,
            Calendar: calendar,
            PolicySearch: search,
            RefundTable: rules,
        },
        clock=clock,
        store=store,
        models=models,
        prices=prices,
        export=export,
        traces=traces,
    )


def configured_models() -> Mapping[str, Model]:
    """The language model that the environment names, if it names one."""
    name = os.environ.get(MODEL_VARIABLE)
    if not name:
        return {}
    # Only who names a model needs the libraries of the providers.
    from fishplate.models.providers import ProviderModel  # noqa: PLC0415 -- as said

    return {ALIAS: ProviderModel(name)}


app = make_app(store=store_url(), calendar=Calendar.of_the_data, models=configured_models())
