"""The test kit: what stands in for the real thing in the tests of your agents.

What makes calls go wrong on purpose is in `fishplate.testing.faults`.
"""

from fishplate.core.clock import FixedClock as FakeClock
from fishplate.testing.cassette import Cassette
from fishplate.testing.doubles import stand_in, with_stand_ins
from fishplate.testing.in_memory import effects
from fishplate.testing.scripted_model import ScriptedModel, ScriptedText
from fishplate.testing.virtual_time import VirtualClock, VirtualLoop, run_in_virtual_time

__all__ = [
    "Cassette",
    "FakeClock",
    "ScriptedModel",
    "ScriptedText",
    "VirtualClock",
    "VirtualLoop",
    "effects",
    "run_in_virtual_time",
    "stand_in",
    "with_stand_ins",
]
