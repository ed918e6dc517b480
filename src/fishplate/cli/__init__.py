"""The command line: it loads what the arguments name, and prints what the parts below say."""

from fishplate.cli.program import main

__all__ = ["main"]
