"""How much of what steps take and give is kept: nothing, its shape, what is no secret, or all."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeAlias, cast

from pydantic_core import from_json, to_json

from fishplate.contracts.signature import Signature
from fishplate.core.current import TOLD_NOW
from fishplate.core.errors import FishplateError, JsonValue, NeedsAttention
from fishplate.core.events import HeadTuple, SpanKind
from fishplate.core.outcome import DeclaredError
from fishplate.core.told import inert
from fishplate.traces.bounding import (
    CUT,
    CUT_MEMBERS,
    MOST_CHARACTERS,
    MOST_ITEMS,
    bounded,
    bounded_text,
)
from fishplate.traces.redaction import HIDDEN, Redactor

Capture: TypeAlias = Literal["off", "metadata", "redacted", "full"]
"""How much content is kept.

`off`: no text of a prompt, an argument, a result or an error. `metadata`: their sizes, digests and
keys. `redacted`: the content without secrets. `full`: the content.
"""

Facts: TypeAlias = Mapping[str, JsonValue]

TOLD_KINDS: Final = frozenset({"decision", "retrieval"})
"""Kinds of spans that a body may tell of; see `Reader.head`."""

MOST_BYTES: Final = 16_384
"""Of one value; what is larger is cut."""
MOST_OF_A_NAME: Final = 256
_MOST_OF_A_MESSAGE: Final = 65_536
_UNREADABLE_JSON: Final = {"unreadable": True}
_UNREADABLE: Final = to_json(_UNREADABLE_JSON)
_MENDED: Final = "\N{REPLACEMENT CHARACTER}"
_METADATA: Final = frozenset({"bytes", "sha256"})

# What fishplate itself notes on a call: words from code, and numbers. Who notes something else
# under one of these names says it in fishplate's place.
_OWN_WORDS: Final = frozenset(
    {
        *("error", "effect", "effect_state", "idempotency", "recovery", "looked_up", "repaired"),
        *("model", "provider", "snapshot", "finish_reason", "classifier", "cost_source"),
        *("cost_currency", "injected", TOLD_NOW),
    }
)
_OWN_NUMBERS: Final = frozenset(
    {
        *("replayed", "cut_off_before", "abandoned", "cache_hit", "cache_age", "mocked"),
        *("repairs", "lengthened"),
        *("requests", "unpriced_requests", "cost_nanos", "reasoning_parts", "confidence"),
        *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
        "reasoning_tokens",
    }
)
# And on a decision, whose other words may be what a user has said.
_DECISION_WORDS: Final = frozenset(
    {
        *("kind", "chosen", "of", "event", "target", "subject", "code", "error_class", "class"),
        *("failed", "state", "recorded", "instead", "classifier", "error"),
    }
)
_WORD: Final = re.compile(r"[\w.:/@+-]{1,100}")
_RULE: Final = "rule"
"""The `kind` of a decision that a body tells of."""


class Reader:
    """Makes what is kept of contents; used on one thread.

    Args:
        capture: How much that is.
        redactor: Knows what a secret is.

    Attributes:
        name: A principal's name, or a tenant's: without secrets, and bounded, whatever is kept.
    """

    def __init__(self, capture: Capture, redactor: Redactor) -> None:
        self.capture: Capture = capture
        self._redactor = redactor
        # Names come again and again, and finding secrets in one takes microseconds.
        self.name = functools.lru_cache(maxsize=4_096)(self._clean_name)

    @property
    def is_on(self) -> bool:
        """Whether anything is kept at all."""
        return self.capture != "off"

    def begin(self) -> None:
        """Begin a batch: what has become a secret since the last one is known from now on."""
        if self._redactor.look_again():
            self.name.cache_clear()

    def head(self, head: HeadTuple, facts: Facts | None) -> HeadTuple:
        """What a span is called: what a body has called it is content, as what it has noted is.

        Agents, tools and what a plan decides are declared, and keep their names whatever is kept.
        """
        kind, name, release = head
        if kind == "decision":
            is_told = facts is not None and facts.get("kind") == _RULE
        elif kind == "retrieval":
            is_told = True
        else:
            return head
        if is_told and self.capture in {"off", "metadata"}:
            return (kind, kind if kind == "retrieval" else _RULE, release)
        return (kind, self.name(name), release)

    def _clean_name(self, name: str) -> str:
        found = bounded(name, None if self.capture == "full" else self._redactor)
        text = found if isinstance(found, str) else str(found)
        return text if len(text) <= MOST_OF_A_NAME else f"{text[:MOST_OF_A_NAME]}{CUT_MEMBERS}"

    def arguments(self, signature: Signature, arguments: tuple[object, ...]) -> bytes:
        """JSON of what a call was given; not cleaned yet."""
        try:
            return signature.to_json(arguments)
        except Exception:  # noqa: BLE001 -- e.g. a lone surrogate, or its own code fails
            return _mended(lambda: signature.unjudged(arguments))

    def outcome(self, signature: Signature, outcome: object) -> bytes:
        """JSON of what a call gave, or of the error that it ended in; not cleaned yet."""
        try:
            if isinstance(outcome, ToldError):
                return to_json({"error": outcome.facts})
            return signature.output.to_json(outcome)
        except Exception:  # noqa: BLE001 -- as above
            if isinstance(outcome, ToldError):
                return _mended(lambda: {"error": outcome.facts})
            return _mended(lambda: signature.output.unjudged(outcome))

    def clean(self, contents: Sequence[bytes]) -> list[bytes]:
        """Contents as they are kept: redacted and bounded.

        Args:
            contents: JSON of each, from `arguments` and `outcome`.
        """
        if self.capture == "metadata":
            return [_readable(_metadata, one, self._redactor) for one in contents]
        if self.capture == "full":
            return [
                one if len(one) <= MOST_BYTES else _readable(_smaller, one, None)
                for one in contents
            ]
        is_suspect = self._redactor.is_suspect(b"\n".join(contents))
        return [
            _readable(_smaller, one, self._redactor)
            if len(one) > MOST_BYTES or (is_suspect and self._redactor.is_suspect(one))
            else one
            for one in contents
        ]

    def facts(self, kinds: Iterable[SpanKind], noted: Sequence[Facts | None]) -> list[Facts | None]:
        """What is kept of the attributes of spans.

        Args:
            kinds: Of the spans.
            noted: Their attributes.
        """
        if self.capture in {"off", "metadata"}:
            with_keys = self.capture == "metadata"
            noted = [
                (_own(kind, one, with_keys=with_keys) or None) if one else one
                for kind, one in zip(kinds, noted, strict=True)
            ]
        redactor = None if self.capture == "full" else self._redactor
        if self._is_plain([one for one in noted if one], redactor):
            return list(noted)
        return [
            _all_of(one, redactor) if one and not self._is_plain([one], redactor) else one
            for one in noted
        ]

    def _is_plain(self, noted: list[Facts], redactor: Redactor | None) -> bool:
        """Whether attributes may stand as they are."""
        try:
            text = to_json(noted)
        except Exception:  # noqa: BLE001 -- a lone surrogate, or what only looks like JSON
            return False
        if len(text) > MOST_CHARACTERS * len(noted):
            return False
        return redactor is None or not redactor.is_suspect(text)


def _own(kind: SpanKind, facts: Facts, *, with_keys: bool) -> Facts:
    """What fishplate itself has noted: none of it is what somebody has said."""
    if kind == "decision":
        if facts.get("kind") == _RULE:
            return {"kind": _RULE}
        return {
            name: value
            for name, value in facts.items()
            if name in _DECISION_WORDS or not isinstance(value, (str, list, dict))
        }
    return {
        name: _without_texts(value) if name == "degraded" else value
        for name, value in facts.items()
        if (name in _OWN_WORDS and _is_word(value))
        or name == "degraded"
        or ((with_keys or name in _OWN_NUMBERS) and not isinstance(value, (str, list, dict)))
    }


def _is_word(value: JsonValue) -> bool:
    if isinstance(value, list):
        return all(map(_is_word, value))
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _without_texts(reasons: JsonValue) -> JsonValue:
    """Where, and how old: the reason and the source of a degradation are a body's own words."""
    return [
        {name: one[name] for name in ("step", "age") if name in one}
        for one in (reasons if isinstance(reasons, list) else [])
        if isinstance(one, dict)
    ]


def _all_of(facts: Facts, redactor: Redactor | None) -> Facts:
    found = bounded(inert({**facts}), redactor)
    return cast("dict[str, JsonValue]", found)


def _mended(form: Callable[[], object]) -> bytes:
    """JSON of what has no UTF-8 form, with a U+FFFD for each lone surrogate."""
    try:
        text = json.dumps(form(), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    except Exception:  # noqa: BLE001 -- e.g. changed while it is read, or its own code fails
        return _UNREADABLE


def is_measured(content: object) -> bool:
    """Whether content that was kept is its measures alone, as `capture="metadata"` keeps it."""
    return isinstance(content, dict) and _METADATA <= content.keys() <= _METADATA | {"keys"}


def is_whole(content: JsonValue) -> bool:
    """Whether content that was kept is all of it: nothing redacted, cut, mended or left out."""
    match content:
        case str():
            return not any(mark in content for mark in (HIDDEN, CUT, _MENDED))
        case list():
            return all(map(is_whole, content))
        case dict():
            if content == _UNREADABLE_JSON or is_measured(content):
                return False
            return CUT_MEMBERS not in content and all(
                is_whole(name) and is_whole(value) for name, value in content.items()
            )
        case _:
            return True


def _readable(
    clean: Callable[[JsonValue, bytes, Redactor | None], bytes],
    content: bytes,
    redactor: Redactor | None,
) -> bytes:
    """Content as it is kept; what nobody could read again is no content."""
    try:
        return clean(cast("JsonValue", from_json(content)), content, redactor)
    except (ValueError, RecursionError):
        return _UNREADABLE


def _smaller(value: JsonValue, _content: bytes, redactor: Redactor | None) -> bytes:
    found = to_json(bounded(value, redactor))
    # Many short texts may make it too large all the same.
    return found if len(found) <= 4 * MOST_BYTES else _metadata(value, found, redactor)


def _metadata(value: JsonValue, content: bytes, redactor: Redactor | None) -> bytes:
    found: dict[str, JsonValue] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if isinstance(value, dict):
        found["keys"] = [bounded_text(key, redactor)[:64] for key in islice(value, MOST_ITEMS)]
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
