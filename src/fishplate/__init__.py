"""Composable AI-agent workflows with the discipline of microservices."""

from importlib import import_module
from typing import TYPE_CHECKING

from fishplate.agents.agent import Agent, Call
from fishplate.agents.function import agent
from fishplate.agents.tool import tool
from fishplate.app import App, Run
from fishplate.contracts.contract import Contract
from fishplate.core.current import current
from fishplate.core.errors import (
    ContractError,
    DeclarationError,
    ErrorClass,
    Failure,
    FishplateError,
    InputError,
    NeedsAttention,
    OutputError,
    StepError,
    UsageError,
)
from fishplate.core.outcome import (
    CannotSay,
    DeclaredError,
    Degraded,
    NotDone,
    Reason,
    Rejected,
    TimedOut,
)
from fishplate.core.run_context import Principal
from fishplate.core.text import TextPiece, TextWithdrawn
from fishplate.resilience.fallback import Stale, Static
from fishplate.resilience.policy import Breaker, Bulkhead, Cache, Policy, RateLimit, Retry
from fishplate.workflows.compose import (
    approval,
    each,
    graded,
    parallel,
    repeat,
    route,
    sleep,
    struct,
    switch,
    wait_for,
    when,
)
from fishplate.workflows.declare import workflow
from fishplate.workflows.workflow import Workflow

if TYPE_CHECKING:
    from fishplate.agents.model import ModelAgent, model_agent
    from fishplate.models.prompt import Prompt

# Their types cost every import of fishplate, and only who asks a model needs them.
_OF_MODELS = {
    "ModelAgent": "fishplate.agents.model",
    "Prompt": "fishplate.models.prompt",
    "model_agent": "fishplate.agents.model",
}


def __getattr__(name: str) -> object:
    if name not in _OF_MODELS:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    found: object = getattr(import_module(_OF_MODELS[name]), name)
    globals()[name] = found
    return found


__all__ = [
    "Agent",
    "App",
    "Breaker",
    "Bulkhead",
    "Cache",
    "Call",
    "CannotSay",
    "Contract",
    "ContractError",
    "DeclarationError",
    "DeclaredError",
    "Degraded",
    "ErrorClass",
    "Failure",
    "FishplateError",
    "InputError",
    "ModelAgent",
    "NeedsAttention",
    "NotDone",
    "OutputError",
    "Policy",
    "Principal",
    "Prompt",
    "RateLimit",
    "Reason",
    "Rejected",
    "Retry",
    "Run",
    "Stale",
    "Static",
    "StepError",
    "TextPiece",
    "TextWithdrawn",
    "TimedOut",
    "UsageError",
    "Workflow",
    "agent",
    "approval",
    "current",
    "each",
    "graded",
    "model_agent",
    "parallel",
    "repeat",
    "route",
    "sleep",
    "struct",
    "switch",
    "tool",
    "wait_for",
    "when",
    "workflow",
]
