"""Half characters are joined where they can be, and never handed on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.contracts.json import parse_json
from fishplate.core.errors import JsonError
from fishplate.models.model import ModelAnswer, ToolCall
from fishplate.models.surrogates import escaped, has_halves, telling, whole, without_halves

# Of every kind: ASCII, what needs two and three bytes, halves of both sorts, and whole pairs.
ANY = st.text(st.sampled_from("a\u00e9\u20ac\ud83d\ude00\ud800\udfff\U0001f600"), max_size=8)
HALF = "a\ud83d"


@given(text=ANY)
def test_words_keep_all_but_their_lone_halves(text: str) -> None:
    """What two halves are is one character; each that stays alone is U+FFFD, and nothing else."""
    found = whole(text)

    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    kept = "".join("\ufffd" if 0xD800 <= ord(one) <= 0xDFFF else one for one in joined)
    assert found == kept


@given(pieces=st.lists(ANY, max_size=5))
def test_pieces_are_told_as_the_whole_text_would_be(pieces: list[str]) -> None:
    """Wherever a stream is cut, what is told is how the whole text begins."""
    told: list[str] = []
    tell = telling(told.append)
    for piece in pieces:
        tell(piece)

    text = whole("".join(pieces))
    assert text.startswith("".join(told))
    assert len(text) - len("".join(told)) <= 1


@given(text=ANY)
def test_json_says_the_same_or_is_refused(text: str) -> None:
    """A lone half in a JSON text is no value; nothing is put in its place."""
    found = escaped(json.dumps(text, ensure_ascii=False))

    if has_halves(ModelAnswer(text=whole(text), reasoning=(text,))) and "\ufffd" in whole(text):
        with pytest.raises(JsonError):
            parse_json(found)
    else:
        assert parse_json(found) == whole(text)


@pytest.mark.parametrize(
    "answer",
    [
        ModelAnswer(text=HALF),
        ModelAnswer(reasoning=("ok", HALF)),
        ModelAnswer(snapshot=HALF),
        ModelAnswer(calls=(ToolCall(id=HALF, name="x", arguments="{}"),)),
        ModelAnswer(calls=(ToolCall(id="1", name=HALF, arguments="{}"),)),
        ModelAnswer(calls=(ToolCall(id="1", name="x", arguments=HALF),)),
    ],
)
@pytest.mark.parametrize("is_text", [True, False])
def test_no_part_of_an_answer_keeps_a_half(answer: ModelAnswer, is_text: bool) -> None:
    """Words, thoughts, names, ids and arguments can all be recorded afterwards."""
    found = without_halves(answer, is_text=is_text)

    assert has_halves(answer)
    assert not has_halves(found)
    assert found.model_dump_json()
