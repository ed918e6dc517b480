"""Composable AI-agent workflows with the discipline of microservices."""

from fishplate.agents.agent import Agent, Call
from fishplate.agents.function import agent
from fishplate.agents.tool import tool
from fishplate.app import App, Run
from fishplate.contracts.contract import Contract
from fishplate.core.current import Principal, current
from fishplate.core.errors import (
    ContractError,
    DeclarationError,
    ErrorClass,
    Failure,
    FishplateError,
    InputError,
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
    "NotDone",
    "OutputError",
    "Policy",
    "Principal",
    "RateLimit",
    "Reason",
    "Rejected",
    "Retry",
    "Run",
    "Stale",
    "Static",
    "StepError",
    "TimedOut",
    "UsageError",
    "Workflow",
    "agent",
    "approval",
    "current",
    "each",
    "graded",
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
