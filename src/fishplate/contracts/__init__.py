"""Contracts: what an agent takes, gives and fails with, and whether two of them fit."""

from fishplate.contracts.contract import Contract
from fishplate.contracts.evolution import Change, Compatibility, ToolSafety, compatible
from fishplate.contracts.fits import Fit, fits, overlaps, uncovered, unsatisfiable
from fishplate.contracts.json import JsonLimits, canonical_json, parse_json
from fishplate.contracts.limits import SchemaLimits
from fishplate.contracts.schema import Schema
from fishplate.contracts.versions import next_version

__all__ = [
    "Change",
    "Compatibility",
    "Contract",
    "Fit",
    "JsonLimits",
    "Schema",
    "SchemaLimits",
    "ToolSafety",
    "canonical_json",
    "compatible",
    "fits",
    "next_version",
    "overlaps",
    "parse_json",
    "uncovered",
    "unsatisfiable",
]
