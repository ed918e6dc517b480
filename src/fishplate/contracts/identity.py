"""The fingerprint of what a schema accepts, whichever way its document is spelled.

Each schema is hashed with its parts replaced by their hashes, so that a reference counts as what it
refers to. Inside a recursive type, a reference back up is the number of references to go back.
Equal fingerprints mean equal schemas; two spellings that are less alike may still differ.
"""

from hashlib import sha256
from typing import Final, cast

from fishplate.contracts.json import canonical_json
from fishplate.contracts.keywords import (
    ANNOTATIONS,
    DEFINITIONS,
    SchemaDocument,
    reference_pointer,
    referenced,
    rewritten,
)
from fishplate.core.errors import JsonError, JsonValue

_SETS: Final = frozenset({"required", "type", "enum", "anyOf", "oneOf", "allOf"})
_LEFT_OUT: Final = ANNOTATIONS | DEFINITIONS | {"$schema"}


def accepted_fingerprint(document: SchemaDocument) -> str:
    """SHA-256, in hexadecimal, without texts, the order of sets, and where definitions stand."""
    return _Hasher(document).of(document, ("",))[0]


class _Hasher:
    def __init__(self, root: SchemaDocument) -> None:
        self._root = root
        self._known: dict[str, str] = {}

    def of(self, schema: SchemaDocument, path: tuple[str, ...]) -> tuple[str, int]:
        """The hash of a schema, and the outermost place of `path` that it refers back to.

        Args:
            schema: A part of the root.
            path: Pointers of the references that are being followed, outermost first.
        """
        if isinstance(schema, bool):
            return str(schema).lower(), len(path)
        kept = {word: held for word, held in schema.items() if word not in _LEFT_OUT}
        if kept.keys() == {"$ref"}:
            return self._referred(str(kept["$ref"]), path)
        outermost = len(path)

        def hashed(part: SchemaDocument) -> SchemaDocument:
            nonlocal outermost
            digest, reached = self.of(part, path)
            outermost = min(outermost, reached)
            return {"": digest}

        node = rewritten(kept, hashed)
        if isinstance(reference := node.get("$ref"), str):
            digest, reached = self._referred(reference, path)
            outermost = min(outermost, reached)
            node["$ref"] = digest
        for word in _SETS & node.keys():
            if isinstance(members := node[word], list):
                node[word] = cast("JsonValue", sorted(members, key=canonical_json))
        return sha256(canonical_json(node)).hexdigest(), outermost

    def _referred(self, reference: str, path: tuple[str, ...]) -> tuple[str, int]:
        try:
            pointer = reference_pointer(reference)
            target = referenced(self._root, reference)
        except JsonError:
            # An anchor or another resource: its name stands for it.
            return reference, len(path)
        if pointer in path:
            place = path.index(pointer)
            return f"up {len(path) - place}", place
        if pointer in self._known:
            return self._known[pointer], len(path)
        digest, outermost = self.of(cast("SchemaDocument", target), (*path, pointer))
        if outermost >= len(path):
            # It refers back to nothing outside itself, so that it is the same everywhere.
            self._known[pointer] = digest
        return digest, min(outermost, len(path))
