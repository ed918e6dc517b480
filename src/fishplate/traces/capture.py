"""How much of what steps take and give is kept: nothing, its shape, what is no secret, or all."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias, cast

from pydantic_core import PydanticSerializationError, from_json, to_json

from fishplate.contracts.signature import Signature
from fishplate.core.errors import FishplateError, JsonValue, NeedsAttention
from fishplate.core.outcome import DeclaredError
from fishplate.traces.redaction import HIDDEN, Redactor

Capture: TypeAlias = Literal["off", "metadata", "redacted", "full"]
"""How much content is kept.

`off`: no text of a prompt, an argument, a result or an error. `metadata`: their sizes, digests and
keys. `redacted`: the content without secrets. `full`: the content.
"""

Facts: TypeAlias = Mapping[str, JsonValue]

MOST_BYTES: Final = 16_384
"""Of one value; what is larger is cut."""
MOST_CHARACTERS: Final = 2_048
MOST_ITEMS: Final = 50
MOST_DEPTH: Final = 12
_MARGIN: Final = 4_096
_MOST_OF_A_MESSAGE: Final = 65_536
_PLAIN: Final = frozenset({bool, int, float, type(None)})  # a body may note what is no JSON
_UNREADABLE_JSON: Final = {"unreadable": True}
_UNREADABLE: Final = to_json(_UNREADABLE_JSON)
_CUT: Final = "[cut: "
_CUT_MEMBERS: Final = "[cut]"
_METADATA: Final = frozenset({"bytes", "sha256"})

# What the engine itself notes: words from code, numbers and ids, and never what a user has said.
_OWN_FACTS: Final = frozenset(
    {
        *("error", "replayed", "abandoned", "cache_hit", "cache_age", "kind", "chosen", "of"),
        *("event", "target", "subject", "code", "error_class", "class", "failed", "state"),
        *("effect", "recovery", "recorded", "instead", "injected", "mocked", "degraded"),
        *("model", "provider", "snapshot", "finish_reason", "classifier"),
        *("cost_currency", "cost_source"),
    }
)


class Reader:
    """Makes what is kept of contents; used on one thread.

    Args:
        capture: How much that is.
        redactor: Knows what a secret is.
    """

    def __init__(self, capture: Capture, redactor: Redactor) -> None:
        self.capture: Capture = capture
        self._redactor = redactor

    @property
    def is_on(self) -> bool:
        """Whether anything is kept at all."""
        return self.capture != "off"

    def arguments(self, signature: Signature, arguments: tuple[object, ...]) -> bytes:
        """JSON of what a call was given; not cleaned yet."""
        try:
            return signature.to_json(arguments)
        except (FishplateError, PydanticSerializationError, ValueError, RuntimeError):
            return _UNREADABLE  # e.g. changed while it is read, or no JSON: the span tells the rest

    def outcome(self, signature: Signature, outcome: object) -> bytes:
        """JSON of what a call gave, or of the error that it ended in; not cleaned yet."""
        try:
            if isinstance(outcome, ToldError):
                return to_json({"error": outcome.facts})
            return signature.output.to_json(outcome)
        except (FishplateError, PydanticSerializationError, ValueError, RuntimeError):
            return _UNREADABLE

    def clean(self, contents: Sequence[bytes]) -> list[bytes]:
        """Contents as they are kept: redacted and bounded.

        Args:
            contents: JSON of each, from `arguments` and `outcome`.
        """
        if self.capture == "metadata":
            return [_metadata(one) for one in contents]
        if self.capture == "full":
            return [one if len(one) <= MOST_BYTES else _smaller(one) for one in contents]
        is_suspect = self._redactor.is_suspect(b"\n".join(contents))
        return [
            self._redacted(one)
            if len(one) > MOST_BYTES or (is_suspect and self._redactor.is_suspect(one))
            else one
            for one in contents
        ]

    def facts(self, noted: Sequence[Facts | None]) -> list[Facts | None]:
        """What is kept of the attributes of spans."""
        if self.capture in {"off", "metadata"}:
            noted = [one and _own(one) for one in noted]
        redactor = None if self.capture == "full" else self._redactor
        try:
            text = to_json([one for one in noted if one])
        except (PydanticSerializationError, ValueError, RuntimeError):
            is_plain = False  # a lone surrogate, or something that only looks like JSON
        else:
            is_plain = len(text) <= MOST_CHARACTERS * len(noted) and not (
                redactor is not None and redactor.is_suspect(text)
            )
        if is_plain:
            return list(noted)
        return [one and _all_of(one, redactor) for one in noted]

    def _redacted(self, content: bytes) -> bytes:
        return _within(to_json(bounded(cast("JsonValue", from_json(content)), self._redactor)))


def _own(facts: Facts) -> Facts:
    return {
        name: value
        for name, value in facts.items()
        if name in _OWN_FACTS or not isinstance(value, (str, list, dict))
    }


def _all_of(facts: Facts, redactor: Redactor | None) -> Facts:
    found = bounded({str(name): value for name, value in facts.items()}, redactor)
    return cast("dict[str, JsonValue]", found)


def bounded(  # noqa: PLR0911 -- a table
    value: JsonValue, redactor: Redactor | None = None, name: str = "", depth: int = 0
) -> JsonValue:
    """A JSON value of which long texts, lists and objects are cut, each with a mark.

    The mark of a text names its length and its SHA-256; lone surrogates become `?`.

    Args:
        value: The value.
        redactor: Takes the secrets out.
        name: What the value stands under.
        depth: How deep it stands.
    """
    if redactor is not None and redactor.hides(name) and isinstance(value, (str, list, dict)):
        return HIDDEN
    match value:
        case str():
            return _text(value, redactor)
        case list():
            if depth == MOST_DEPTH:
                return f"{_CUT}{len(value)} items]"
            kept = [bounded(one, redactor, "", depth + 1) for one in value[:MOST_ITEMS]]
            over = len(value) - MOST_ITEMS
            return [*kept, f"{_CUT}{over} more items]"] if over > 0 else kept
        case dict():
            if depth == MOST_DEPTH:
                return f"{_CUT}{len(value)} members]"
            found = {
                _text(key, redactor): bounded(value[key], redactor, key, depth + 1)
                for key in list(value)[:MOST_ITEMS]
            }
            over = len(value) - MOST_ITEMS
            return {**found, _CUT_MEMBERS: f"{over} more members"} if over > 0 else found
        case float() if not math.isfinite(value):
            return None
        case _:
            return value if type(value) in _PLAIN else _text(str(value), redactor)


def is_measured(content: object) -> bool:
    """Whether content that was kept is its measures alone, as `capture="metadata"` keeps it."""
    return isinstance(content, dict) and _METADATA <= content.keys() <= _METADATA | {"keys"}


def is_whole(content: JsonValue) -> bool:
    """Whether content that was kept is all of it: nothing redacted, cut or left out."""
    match content:
        case str():
            return HIDDEN not in content and _CUT not in content
        case list():
            return all(map(is_whole, content))
        case dict():
            if content == _UNREADABLE_JSON or is_measured(content):
                return False
            return _CUT_MEMBERS not in content and all(
                is_whole(name) and is_whole(value) for name, value in content.items()
            )
        case _:
            return True


def _text(text: str, redactor: Redactor | None) -> str:
    # Cut with a margin first: a secret at the edge is found before what is behind it goes.
    head = text[: MOST_CHARACTERS + _MARGIN]
    if redactor is not None:
        head = redactor.text(head)
    if not head.isascii():
        head = head.encode("utf-8", "replace").decode()
    if len(text) <= MOST_CHARACTERS:
        return head
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{head[:MOST_CHARACTERS]}{_CUT}{len(text)} characters, sha256 {digest}]"


def _smaller(content: bytes) -> bytes:
    return _within(to_json(bounded(cast("JsonValue", from_json(content)))))


def _within(content: bytes) -> bytes:
    """The content, or what it was if many short texts make it too large all the same."""
    return content if len(content) <= 4 * MOST_BYTES else _metadata(content)


def _metadata(content: bytes) -> bytes:
    found: dict[str, JsonValue] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    value: object = from_json(content)
    if isinstance(value, dict):
        keys = list(cast("dict[str, object]", value))[:MOST_ITEMS]
        found["keys"] = [key[:64] for key in keys]
    return to_json(found)


class ToldError(NamedTuple):
    """An error that a call ended in, apart from the frames that an exception holds.

    Attributes:
        facts: JSON: type, message, and code and class if it has them; the same of its cause.
        needs_somebody: A person has to decide before the run can go on.
    """

    facts: dict[str, JsonValue]
    needs_somebody: bool

    @staticmethod
    def of(error: BaseException) -> ToldError:
        """What there is to tell of an error."""
        facts = _error_json(error)
        if error.__cause__ is not None:
            facts["cause"] = _error_json(error.__cause__)
        return ToldError(facts, isinstance(error, NeedsAttention))


def _error_json(error: BaseException) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {"type": type(error).__name__}
    if isinstance(error, FishplateError):
        found |= {"code": error.code, "class": error.error_class.word}
    elif isinstance(error, DeclaredError):
        found |= {"code": error.code, "declared": _declared(error)}
    try:
        message = str(error)[:_MOST_OF_A_MESSAGE]
        found["message"] = message.encode("utf-8", "replace").decode()
    except Exception:  # noqa: BLE001 -- a user's class may fail to say what it is
        found["message"] = "(it cannot be shown)"
    return found


def _declared(error: DeclaredError) -> JsonValue:
    try:
        found: JsonValue = error.to_model().model_dump(mode="json")
    except Exception:  # noqa: BLE001 -- as above
        return None
    return found
