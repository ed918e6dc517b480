"""What a sink answers to what it was sent: all is taken, some of it is, or it is no sink at all.

A page for people, such as that of a network that asks for a login, comes with the status 200 too.
Whoever speaks OTLP answers in the encoding of the request, in JSON, or with nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

from pydantic_core import from_json

from fishplate.traces.export import PATHS, ExportError
from fishplate.traces.otlp import Refusal, refusal_in
from fishplate.traces.posting import Answer

_SHOWN: Final[Mapping[str, str]] = {"text/html": "a web page", "text/plain": "plain text"}
_FIRST_FIELD: Final = b"\x0a"  # of an answer in protocol buffers, `partial_success`


def refusal_of(answer: Answer) -> Refusal | None:
    """What an answer that accepts a request says against it; `None`: nothing.

    Raises:
        ExportError: It is no answer of OTLP, so nobody knows of anything that was taken.

    Source: OTLP 1.x, "OTLP/HTTP Response". It asks for the encoding of the request; some sinks
    answer JSON all the same, and JSON of OTLP may hold names that nobody knows.
    """
    if not answer.body.strip():
        return None
    read = _READERS.get(answer.kind)
    if read is None:
        # The type is text of the sink's, which could repeat a header with a key in it.
        raise _no_sink(answer.sink, _SHOWN.get(answer.kind, "another type"))
    try:
        return read(answer.body)
    except ValueError as error:
        raise _no_sink(answer.sink, "what cannot be read") from error


def _no_sink(sink: str, what: str) -> ExportError:
    return ExportError(
        f"{sink} answers as if it took what is sent, but with {what}, which is no answer of OTLP: "
        f"{PATHS}"
    )


def _refusal_in_either(body: bytes) -> Refusal | None:
    """Of an answer without a type, by what it begins with.

    Text may be protocol buffers by chance: `xx` is a field that nobody knows.
    """
    return refusal_in(body) if body.startswith(_FIRST_FIELD) else _refusal_in_json(body)


def _refusal_in_json(body: bytes) -> Refusal | None:
    found: object = from_json(body)
    if found is None:
        return None
    if not isinstance(found, dict):
        msg = "an answer in JSON is an object"
        raise ValueError(msg)  # noqa: TRY004 -- of what was sent, not of the code
    partial: object = cast("dict[str, Any]", found).get("partialSuccess")
    if not isinstance(partial, dict):
        return None
    said = cast("dict[str, Any]", partial)
    number: object = said.get("rejectedSpans", said.get("rejectedDataPoints"))
    message: object = said.get("errorMessage")
    refusal = Refusal(
        # Numbers of 64 bits are texts in the JSON of protocol buffers.
        int(number) if isinstance(number, int | str) and number else 0,
        message if isinstance(message, str) else "",
    )
    return refusal if refusal.number or refusal.message else None


_Reader: TypeAlias = Callable[[bytes], Refusal | None]
_READERS: Final[Mapping[str, _Reader]] = {
    "application/x-protobuf": refusal_in,
    "application/protobuf": refusal_in,
    "application/json": _refusal_in_json,
    "": _refusal_in_either,
}
