"""What model agents send to their models, as lines: to be shown, kept, and compared."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, cast

from fishplate.agents.agent import AnyAgent
from fishplate.agents.model import ModelAgent
from fishplate.agents.trial import try_prompt
from fishplate.cli.prompt_texts import prompt_source
from fishplate.contracts.example import examples
from fishplate.contracts.json import canonical_json
from fishplate.contracts.keywords import SchemaDocument
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.models.model import Features, Message, ModelRequest
from fishplate.models.prompt import Prompt
from fishplate.orchestrator.roster import all_of

EVERYTHING: Final = Features(has_schemas=True, has_tools=True)
Lines: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What one model agent sends first.

    Attributes:
        messages: The messages for each input that was tried, by its canonical JSON, in order.
        frame: The schema and the tools, which are the same for every input.
        source: Its prompt function, without comments; `None` if it cannot be read.
        behaviour: Digest of all that it does; see `fishplate.releases.fingerprint`.
        agent: The agent itself; `None` if all this was read from a file.
    """

    messages: Mapping[str, Lines]
    frame: Lines
    source: str | None
    behaviour: str
    agent: AnyAgent | None = None

    def with_inputs(self, inputs: Iterable[str]) -> Mapping[str, Lines]:
        """The messages for other inputs besides; those that break the contract are left out."""
        if self.agent is None:
            return self.messages
        return {**self.messages, **_messages(self.agent, map(json.loads, inputs))}

    def to_json(self) -> JsonValue:
        """As `fishplate contract` prints it."""
        return {
            "source": self.source,
            "behaviour": self.behaviour,
            "frame": list[JsonValue](self.frame),
            "sent": [
                {"input": json.loads(text), "messages": list[JsonValue](lines)}
                for text, lines in self.messages.items()
            ],
        }

    @staticmethod
    def read(document: JsonValue) -> "Sent | None":
        """What `to_json` wrote; `None` if it is something else."""
        match document:
            case {
                "source": str() | None as source,
                "behaviour": str(behaviour),
                "frame": [*frame],
                "sent": [*sent],
            }:
                messages = [_read_messages(one) for one in sent]
            case _:
                return None
        if None in messages or not _are_texts(frame):
            return None
        known = cast("list[tuple[str, Lines]]", messages)
        return Sent(
            messages=dict(known),
            frame=tuple(cast("list[str]", frame)),
            source=source,
            behaviour=behaviour,
        )


def sent_below(agent: AnyAgent, others: Mapping[str, Sent] | None = None) -> dict[str, Sent]:
    """What an agent and all model agents that its runs may reach send, by their names.

    Args:
        agent: Its prompt functions are called.
        others: What agents of the same names send in another version: tried with its inputs too.
    """
    units = {unit.name: unit for unit in all_of(agent) if isinstance(unit, ModelAgent)}
    return {name: _sent(unit, (others or {}).get(name)) for name, unit in sorted(units.items())}


def message_lines(messages: Sequence[Message]) -> Iterator[str]:
    """Messages, each below a line with its role."""
    for message in messages:
        yield f"--- {message.role}"
        yield from message.text.splitlines()


def frame_lines(request: ModelRequest) -> Iterator[str]:
    """The schema of the output and the tools, each below a line that says so."""
    if request.mode == "native":
        yield "--- schema"
        yield from _indented(request.schema)
    for tool in request.tools:
        yield f"--- tool {tool.name}: {tool.description or '(no description)'}"
        yield from _indented(tool.schema)


def _sent(agent: ModelAgent[..., object], other: Sent | None) -> Sent:
    inputs = [*examples(agent.signature.takes)]
    inputs += [json.loads(text) for text in (other.messages if other is not None else ())]
    framing = agent.first_request(Prompt(user=""), EVERYTHING)
    return Sent(
        messages=_messages(agent, inputs),
        frame=tuple(frame_lines(framing)),
        source=prompt_source(agent),
        behaviour=agent.release.behaviour,
        agent=agent,
    )


def _messages(agent: AnyAgent, inputs: Iterable[JsonValue]) -> dict[str, Lines]:
    """What is said for each input that the agent takes; nothing for one on which it fails."""
    return {
        canonical_json(trial.input).decode(): tuple(message_lines(trial.prompt.messages()))
        for trial in try_prompt(agent, list(inputs)).found
        if trial.prompt is not None
    }


def _read_messages(document: JsonValue) -> tuple[str, Lines] | None:
    match document:
        case {"input": held, "messages": [*lines]} if _are_texts(lines):
            return canonical_json(held).decode(), tuple(cast("list[str]", lines))
        case _:
            return None


def _are_texts(lines: Sequence[JsonValue]) -> bool:
    return all(isinstance(line, str) for line in lines)


def _indented(schema: SchemaDocument | None) -> list[str]:
    return json.dumps(schema, indent=2, ensure_ascii=False).splitlines()
