"""Half characters in what a model says: UTF-16 halves, which no UTF-8 carries.

They come from providers whose JSON escapes half of a pair, for instance of an emoji, and from
streams that are cut between two halves. Halves that stand side by side are joined. One that stays
alone is replaced in words, as the Unicode Standard has it, section 3.9, and kept as its escape in
JSON: there it is a breach of the contract that the model can mend, since it may stand in an id.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable

from fishplate.models.model import ModelAnswer, ToolCall


def has_halves(answer: ModelAnswer) -> bool:
    """Whether anything that an answer says holds half a character."""
    return not (
        _is_whole(answer.text)
        and all(map(_is_whole, answer.reasoning))
        and _is_whole(answer.snapshot or "")
        and all(
            _is_whole(call.id) and _is_whole(call.name) and _is_whole(call.arguments)
            for call in answer.calls
        )
    )


def without_halves(answer: ModelAnswer, *, is_text: bool) -> ModelAnswer:
    """The answer with whole characters only.

    Args:
        answer: The answer.
        is_text: Its text is words, and no JSON.
    """
    text = whole(answer.text) if is_text else escaped(answer.text)
    calls = tuple(
        ToolCall(id=whole(call.id), name=whole(call.name), arguments=escaped(call.arguments))
        for call in answer.calls
    )
    snapshot = None if answer.snapshot is None else whole(answer.snapshot)
    reasoning = tuple(map(whole, answer.reasoning))
    update = {"text": text, "calls": calls, "snapshot": snapshot, "reasoning": reasoning}
    return answer.model_copy(update=update)


def whole(text: str) -> str:
    """Words with halves joined, and with U+FFFD for each that stays alone."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def escaped(json: str) -> str:
    """JSON text with halves joined, and with the escape of each that stays alone."""
    joined = json.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return joined.encode("utf-8", "backslashreplace").decode()


def telling(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Tell pieces of a text as `whole` would tell all of it; half a character waits for its other.

    What still waits at the end is not told.
    """
    decoder = codecs.getincrementaldecoder("utf-16-le")("replace")

    def told(piece: str) -> None:
        tell(decoder.decode(piece.encode("utf-16-le", "surrogatepass")))

    return told


def _is_whole(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # the one thing that UTF-8 cannot carry
        return False
    return True
