"""`Cassette`: the answers of a real model, recorded once and given again without it."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import asdict, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import cast

from fishplate.contracts.json import canonical_json
from fishplate.core.errors import JsonValue, UsageError
from fishplate.models.model import Model, ModelAnswer, ModelRequest
from fishplate.models.surrogates import has_halves, without_halves
from fishplate.orchestrator.recording import first_difference
from fishplate.releases.digest import digest
from fishplate.testing.cassette_file import (
    Asked,
    Entry,
    Header,
    hidden,
    read_cassette,
    without_secrets,
    write_cassette,
)


class Cassette:
    """A model that records another one, or that gives what was recorded.

    A request is known by its messages, schema, tools and settings. Equal ones are answered in the
    order of the recording, and each answer is given once. Pieces of a text come as they came then,
    without their pauses. A failure is not recorded. What looks like a secret is `[redacted]` in the
    file, and in the answer that comes from it.

    Make it where the app is made, and never inside of a run: without `model` it reads the file.

    Args:
        path: The file. A recording replaces it with its first answer, and again with each one.
        model: Is asked and recorded; `None`: the file answers, and nobody is asked.

    Raises:
        UsageError: There is no such file (code `no_cassette`), or it is damaged or of another
            version (`bad_cassette`).
    """

    def __init__(self, path: str | os.PathLike[str], *, model: Model | None = None) -> None:
        self._path = Path(path)
        self._model = model
        self._entries: list[Entry] = []
        self._left: dict[str, deque[Entry]] = defaultdict(deque)
        self._writing = asyncio.Lock()  # one state of the file after the other
        if model is not None:
            self._header = Header.of(model)
        else:
            self._header, self._entries = read_cassette(self._path)
        for one in self._entries:
            self._left[digest(one.asked)].append(one)
        self.name = self._header.name
        self.pinned = self._header.pinned
        self.features = self._header.to_features()

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Give a recorded answer; or ask, and record.

        Raises:
            UsageError: No answer to the request is left (code `not_recorded`), or it may not be
                recorded (`secret_in_cassette`).
            Failure: The model that is recorded did not answer.
        """
        asked = _asked(request)
        if self._model is not None:
            return await self._record(self._model, request, asked)
        left = self._left.get(digest(asked))
        if not left:
            raise UsageError(self._why_none(asked), code="not_recorded")
        found = left.popleft()
        if request.tell is not None:
            await _tell(request.tell, found)
        return found.answer

    async def _record(self, model: Model, request: ModelRequest, asked: Asked) -> ModelAnswer:
        pieces: list[str] = []

        def tell(piece: str) -> None:
            pieces.append(piece)
            if request.tell is not None:
                request.tell(piece)

        answer = await model.request(replace(request, tell=tell))
        if has_halves(answer):
            answer = without_halves(answer, is_text=request.mode == "text")
        is_told = "".join(pieces) == answer.text
        lengths = tuple(len(piece) for piece in pieces if piece) if is_told else ()
        entry = Entry(asked=asked, answer=answer, pieces=lengths if len(lengths) > 1 else ())
        entry = without_secrets(entry, self._path, os.environ)
        async with self._writing:
            self._entries.append(entry)
            await asyncio.to_thread(write_cassette, self._path, self._header, tuple(self._entries))
        return answer

    def _why_none(self, asked: Asked) -> str:
        """What differs, by its place: prompts stand in the file, and in no error."""
        known = [one.asked for one in self._entries]
        subject, anew = f"the cassette {str(self._path)!r}", "record it anew, Cassette(model=...)"
        if asked in known:
            return (
                f"{subject} answers this request {known.count(asked)} times, and it is asked once "
                f"more: ask less, or {anew}"
            )
        if not known:
            return f"{subject} has no answers: {anew}"
        nearest = max(known, key=lambda one: _likeness(one, asked))
        return (
            f"{subject} has no answer to this request; of its {len(known)} requests the nearest "
            f"differs {_differences(nearest, asked)}: ask what it asks, or {anew}"
        )


def _asked(request: ModelRequest) -> Asked:
    """What a request is known by, as JSON; secrets are no part of it."""
    document: dict[str, JsonValue] = {
        "messages": [
            one.model_dump(mode="json", exclude_defaults=True) for one in request.messages
        ],
        "mode": request.mode,
        "schema": request.schema,
        "tools": [asdict(tool) for tool in request.tools],
        "settings": asdict(request.settings),
    }
    return cast("Asked", hidden(document))


async def _tell(tell: Callable[[str], None], entry: Entry) -> None:
    """Tell the pieces of a text; between two of them others get their turn."""
    for end, length in zip(itertools.accumulate(entry.pieces), entry.pieces, strict=True):
        tell(entry.answer.text[end - length : end])
        await asyncio.sleep(0)


def _likeness(one: Asked, other: Asked) -> tuple[int, float]:
    """How many parts of two requests are equal, and then how much of their characters."""
    equal = sum(value == other.get(part) for part, value in one.items())
    texts = (canonical_json(one).decode(), canonical_json(other).decode())
    return equal, SequenceMatcher(None, *texts, autojunk=False).quick_ratio()


def _differences(recorded: Asked, asked: Asked) -> str:
    """The places of the first difference in each part of a request."""
    places: list[str] = []
    for part, value in asked.items():
        found = first_difference(recorded.get(part), value)
        if found is None:
            continue
        pointer, before, now = found
        place = f"at /{part}{pointer}"
        if isinstance(before, str) and isinstance(now, str):
            two = zip(before, now, strict=False)
            begin = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], two))
            place += f" from character {begin + 1}" if begin else ""
        places.append(place)
    return ", ".join(places)
