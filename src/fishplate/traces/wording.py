"""What speaks against the words of a model: wrong calculations, ids that nobody gave it, numbers.

A model knows the world and reckons, so a number that it was not given proves nothing by itself. A
calculation that it shows and that is wrong does, and an id of a kind of which it was given others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

from fishplate.traces.figures import unexplained
from fishplate.traces.findings import Sign
from fishplate.traces.mentions import is_only_mentioned
from fishplate.traces.origins import Origins
from fishplate.traces.spelling import ids_in, is_public, kind_of_id
from fishplate.traces.sums import wrong_sums

MOST_READ: Final = 10_000
"""Characters of an answer that are looked through, so that a long one takes no long time."""

_LAST_WORD: Final = re.compile(r"[^\W\d_]+$")


def signs_in_words(answer: object, given: str, *, is_all: bool) -> Iterator[Sign]:
    """What speaks against the words of a model.

    Args:
        answer: JSON; of it the texts are judged, for a number in a place of its own is a judgement,
            or as its contract has it.
        given: All that the model has read, as text.
        is_all: Nothing of that was cut, hidden or left out when it was kept.
    """
    text = "\n".join(_texts(answer))[:MOST_READ]
    read = _without_blanks(given)
    for wrong in wrong_sums(text):
        # Whoever quotes it may say that it is wrong; what stands behind may be such a word.
        is_quoted = _LAST_WORD.sub("", _without_blanks(wrong.text)) in read
        yield Sign(f"its answer reckons {wrong.text!r}", is_doubt=wrong.is_doubt or is_quoted)
    origins = Origins(given)
    for found in dict.fromkeys(ids_in(text)):
        if not origins.hold(found):
            # One of another kind may be a name that the world knows; one that is denied, asked
            # about or an example is said to be nobody's; one may be made of what was given.
            is_doubt = (
                not is_all
                or kind_of_id(found) not in origins.kinds
                or is_public(found)
                or is_only_mentioned(found, text)
                or origins.may_give(found)
            )
            what = "that it was given" if is_all else "that was kept of what it was given"
            yield Sign(f"its answer holds {found!r}, which nothing {what} does", is_doubt)
    if numbers := unexplained(text, given):
        yield Sign(
            f"its answer holds {numbers[0]!r}, which follows from nothing that it was given",
            is_doubt=True,
        )


def _without_blanks(text: str) -> str:
    return "".join(text.split())


def _texts(answer: object) -> Iterator[str]:
    if isinstance(answer, str):
        yield answer
    elif isinstance(answer, dict):
        for one in cast("dict[str, object]", answer).values():
            yield from _texts(one)
    elif isinstance(answer, list):
        for one in cast("list[object]", answer):
            yield from _texts(one)
