"""What speaks against a search: whether what it found was used against its own scores.

What a score means only the search knows: a share is the better the higher it is, a distance the
lower, and some count without end. Scores are judged where the search says from which on a passage
fits, and nowhere else; where it says so, and uses none that fits, an answer that says another
number than that passage is not made of what was found. That nothing was found, or that a passage
is in other words than the question, is odd and no fault by itself: there may be nothing, and people
have many words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fishplate.traces.contrary import contrary_to, words_of
from fishplate.traces.findings import Sign, facts_of, objects_of, texts_of
from fishplate.traces.queries import TracedSpan


def sign_against(
    search: TracedSpan, found_elsewhere: Sequence[str], answer: str = "", *, read_besides: str = ""
) -> Sign | None:
    """What speaks against a search; `None` if nothing does.

    Args:
        search: Its span.
        found_elsewhere: Ids of passages that other searches of the run have found.
        answer: What was answered by who has searched, as text.
        read_besides: What tools and other searches have told them, as text.
    """
    facts = facts_of(search.span)
    passages = objects_of(facts.get("passages"))
    used = texts_of(facts.get("used")) if isinstance(facts.get("used"), list) else None
    if not passages and not used:
        return Sign("it found no passage", is_doubt=True)
    if used is None:
        return _as_doubt(_misfit(facts, passages, None))
    if not used:
        return _sign_of_none_used(facts, passages, answer, read_besides)
    known = [*(str(one.get("id")) for one in passages), *found_elsewhere]
    foreign = next((one for one in used if not any(_belongs(one, own) for own in known)), None)
    if foreign is not None:
        return Sign(f"the passage {foreign!r} was used, and no search found it", is_doubt=False)
    misfit = _misfit(facts, passages, used)
    if misfit is not None:
        return Sign(misfit, is_doubt=False)
    return _as_doubt(_stranger(facts, passages, used))


def _sign_of_none_used(
    facts: Mapping[str, Any],
    passages: Sequence[Mapping[str, Any]],
    answer: str,
    read_besides: str,
) -> Sign:
    if (contrary := _contrary(facts, passages, answer, read_besides)) is not None:
        return contrary
    misfit = _misfit(facts, passages, None)
    return Sign(misfit or f"none of {len(passages)} passages was used", is_doubt=True)


def _as_doubt(text: str | None) -> Sign | None:
    return None if text is None else Sign(text, is_doubt=True)


def _misfit(
    facts: Mapping[str, Any], passages: Sequence[Mapping[str, Any]], used: Sequence[str] | None
) -> str | None:
    """That no passage fits by the declared scores, of those that were used or of all."""
    least, most = facts.get("at_least"), facts.get("at_most")
    scored = [
        (float(one["score"]), one)
        for one in passages
        if isinstance(one.get("score"), (int, float)) and (used is None or one.get("id") in used)
    ]
    if not scored or any(_fits(score, least, most) for score, _ in scored):
        return None
    limits = {"at least": least, "at most": most}
    limit = " and ".join(f"{word} {one}" for word, one in limits.items() if one is not None)
    score, one = scored[0]
    what = "no passage fits" if used is None else "what was used does not fit"
    return f"{what}: {one.get('id')!r} has the score {score:.2f}, which should be {limit}"


def _contrary(
    facts: Mapping[str, Any],
    passages: Sequence[Mapping[str, Any]],
    answer: str,
    read_besides: str,
) -> Sign | None:
    """That the answer says another number of something than each passage which fits and tells it.

    Only a search that says from which score on a passage fits can tell that one should be used.
    """
    least, most = facts.get("at_least"), facts.get("at_most")
    if least is None and most is None:
        return None
    fitting = [
        str(one.get("text"))
        for one in passages
        if isinstance(one.get("score"), (int, float)) and _fits(float(one["score"]), least, most)
    ]
    query = str(facts.get("query"))
    return contrary_to(fitting, answer, query, read_besides=read_besides)


def _fits(score: float, least: object, most: object) -> bool:
    is_low = isinstance(least, (int, float)) and score < least
    return not is_low and not (isinstance(most, (int, float)) and score > most)


def _belongs(used: str, found: str) -> bool:
    """Whether one is the other, or a part of it: `handbook#3` of `handbook`."""
    short, long = sorted((used, found), key=len)
    return long.startswith(short) and not long[len(short) : len(short) + 1].isalnum()


def _stranger(
    facts: Mapping[str, Any], passages: Sequence[Mapping[str, Any]], used: Sequence[str]
) -> str | None:
    asked = words_of(facts.get("query"))
    for one in passages:
        text = one.get("text")
        is_read = one.get("id") in used and isinstance(text, str)
        if is_read and asked and not asked & words_of(text):
            return f"the passage {one['id']!r} was used and shares no word with the question"
    return None
