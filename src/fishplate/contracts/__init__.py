"""Contracts: what an agent takes, gives and fails with, and whether two of them fit.

Whether a new version breaks its callers is the question of a review, not of a running program:
`fishplate.contracts.evolution` answers it, and is imported by whoever asks.
"""

from fishplate.contracts.contract import Contract
from fishplate.contracts.fits import Fit, fits, overlaps, uncovered, unsatisfiable
from fishplate.contracts.json import JsonLimits, canonical_json, parse_json
from fishplate.contracts.limits import SchemaLimits
from fishplate.contracts.schema import Schema
from fishplate.contracts.versions import next_version

__all__ = [
    "Contract",
    "Fit",
    "JsonLimits",
    "Schema",
    "SchemaLimits",
    "canonical_json",
    "fits",
    "next_version",
    "overlaps",
    "parse_json",
    "uncovered",
    "unsatisfiable",
]
