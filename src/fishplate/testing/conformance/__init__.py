"""Conformance suites: what an engine, and the journal of one, has to do to be one.

A test class of yours derives from a suite and says how an app is opened; pytest finds the rest.
"""

from fishplate.testing.conformance.case import Conformance, Life, NotConformingError
from fishplate.testing.conformance.crash import Crash
from fishplate.testing.conformance.engine import EngineConformance
from fishplate.testing.conformance.journal import JournalConformance

__all__ = [
    "Conformance",
    "Crash",
    "EngineConformance",
    "JournalConformance",
    "Life",
    "NotConformingError",
]
