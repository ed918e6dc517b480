"""The digest that fingerprints are made of."""

import hashlib

from fishplate.contracts.json import canonical_json
from fishplate.core.errors import JsonValue


def digest(document: JsonValue) -> str:
    """SHA-256 of canonical JSON, as hex."""
    return hashlib.sha256(canonical_json(document)).hexdigest()
