"""The crash test: whether a run that is killed, wherever it is, ends as it would have."""

from fishplate.testing.crashtest.lives import CrashPoint, CrashTestError
from fishplate.testing.crashtest.trials import CrashReport, Trial, crash_test

__all__ = ["CrashPoint", "CrashReport", "CrashTestError", "Trial", "crash_test"]
