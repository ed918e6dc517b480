"""What a run has told in its earlier lives: whether the spans of what it remembers are kept.

A process that is killed takes with it what the store had not written yet. When another takes up the
run, each step that is answered from its record says so, and its own span, from when it ran, should
be there. If it is not, whatever was below it and what that has cost may be lost with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from fishplate.traces.stored import stored_spans


def untold(connection: sqlite3.Connection, replayed: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many steps of runs are answered from records, and their own spans are not there.

    Args:
        connection: Of a trace store that holds the batch that says so.
        replayed: Paths of the steps that a batch says this of, by run.

    Returns:
        For each run of which some are not there how many those are. One of which this was said in
        an earlier life of the run is not counted again.
    """
    found: dict[str, int] = {}
    for run, paths in replayed.items():
        ran, remembered = set[str](), list[str]()
        for (_, _, head, path, _, _, _, facts), *_ in stored_spans(connection, run):
            if head[0] == "decision":
                continue
            if facts and "replayed" in facts:
                remembered.append(path)
            else:
                ran.add(path)
        if count := sum(path not in ran and remembered.count(path) == 1 for path in paths):
            found[run] = count
    return found
