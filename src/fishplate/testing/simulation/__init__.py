"""Deterministic simulation: thousands of faulted runs in virtual time, reproducible by a seed."""

from fishplate.testing.simulation.history import History, SimulatedRun
from fishplate.testing.simulation.invariants import Invariant, invariant
from fishplate.testing.simulation.kept import simulate_kept
from fishplate.testing.simulation.kept_invariants import KEPT_INVARIANTS
from fishplate.testing.simulation.rates import FaultRates
from fishplate.testing.simulation.simulate import (
    INVARIANTS,
    BrokenInvariant,
    Report,
    Scenario,
    simulate,
)
from fishplate.testing.simulation.world import GARBLED, World, WorldCall

__all__ = [
    "GARBLED",
    "INVARIANTS",
    "KEPT_INVARIANTS",
    "BrokenInvariant",
    "FaultRates",
    "History",
    "Invariant",
    "Report",
    "Scenario",
    "SimulatedRun",
    "World",
    "WorldCall",
    "invariant",
    "simulate",
    "simulate_kept",
]
