"""What a language model is to fishplate: messages go in, one whole answer comes out.

Retries, repair, tool calls, fallbacks, budgets and prices stand outside, so an implementation sends
one request and says what came back. The one for tests is `fishplate.testing.ScriptedModel`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict

from fishplate.contracts.keywords import SchemaDocument
from fishplate.core.data import dataclass

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
OutputMode: TypeAlias = Literal["text", "native", "tool", "prompted"]
FinishReason: TypeAlias = Literal["stop", "length", "content_filter", "tool_call", "error"]
CostSource: TypeAlias = Literal["override", "table", "reported", "unknown"]

OUTPUT_TOOL: Final = "give_answer"
"""Name of the tool by whose arguments a model answers, where it takes no schema of its output."""


class Recorded(BaseModel):
    """What a run records of a conversation: taken by its class, so that it costs no look."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolCall(Recorded):
    """A tool call that a model asks for.

    Attributes:
        id: Names the call within its conversation.
        name: Of the tool, as the model wrote it: it need not exist.
        arguments: Text as the model wrote it: it need not be JSON.
    """

    id: str
    name: str
    arguments: str


class Message(Recorded):
    """One message of a conversation.

    Attributes:
        role: Who speaks.
        text: What is said.
        calls: What an assistant asks for.
        answers: Id of the call that a message of role `tool` answers.
    """

    role: Role
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    answers: str | None = None


class Conversation(Recorded):
    """What is sent next, as a run records it.

    Attributes:
        messages: In order, at least one.
        max_tokens: Most tokens of the answer, in place of what the settings say.
    """

    messages: tuple[Message, ...]
    max_tokens: int | None = None


class Usage(Recorded):
    """Tokens of one request as the provider counts them; `None` where it does not say.

    Attributes:
        input_tokens: All that went in, those read from and written to a cache included.
        output_tokens: All that came out, reasoning included.
        cache_read_tokens: Of the input, those that a cache held.
        cache_write_tokens: Of the input, those that were put into a cache.
        reasoning_tokens: Of the output, those that the answer does not show.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def total(self) -> int | None:
        """Input and output; `None` if either is unknown."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.input_tokens + self.output_tokens


class Cost(Recorded):
    """What a request costs.

    Attributes:
        nanos: Billionths of the currency; `None` if it is unknown, which is not nothing.
        currency: Three letters of ISO 4217.
        source: Who says so: the user's own table, a published one, the provider, or nobody.
    """

    nanos: int | None = None
    currency: str = "USD"
    source: CostSource = "unknown"


UNKNOWN_COST: Final = Cost()


class ModelAnswer(Recorded):
    """What a model answered, whole.

    Attributes:
        text: What it said; empty if it only asks for calls.
        calls: What it asks for, in order.
        finish_reason: Why it stopped; `length` means that the text is cut off.
        usage: What it took.
        snapshot: The exact model that answered, as the provider names it; `None` if it does not,
            and never the name that was asked for in its place.
        reasoning: What it shows of its thoughts; never part of an output.
        cost: What it costs; filled by the app's prices unless the provider says it.
    """

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    snapshot: str | None = None
    reasoning: tuple[str, ...] = ()
    cost: Cost = UNKNOWN_COST


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSettings:
    """How a model is to answer; what is `None` is left to the provider.

    Attributes:
        max_tokens: Most tokens of one answer; at least 1.
        temperature: How much chance there is in it; 0 is least.
        seed: Where its chance begins, for providers that take one.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        if self.max_tokens is not None and self.max_tokens < 1:
            msg = f"ModelSettings(max_tokens={self.max_tokens!r}): at least 1, or leave it out"
            raise ValueError(msg)
        if self.temperature is not None and not 0 <= self.temperature <= 2:  # noqa: PLR2004 -- the widest range of any provider
            msg = f"ModelSettings(temperature={self.temperature!r}): 0 to 2, or leave it out"
            raise ValueError(msg)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolSpec:
    """A tool as a model sees it: its name, what it is for, and the schema of its arguments."""

    name: str
    description: str
    schema: SchemaDocument


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequest:
    """One request.

    Attributes:
        messages: The conversation so far, at least one.
        mode: How the output schema goes out: as text it has none, `native` uses the provider's own
            structured output, `tool` the arguments of `OUTPUT_TOOL`, which is among `tools` then,
            and `prompted` has it in the first message.
        schema: JSON Schema of the output; `None` for text. Only `native` has to send it.
        schema_name: What providers call the schema.
        tools: What the model may ask for.
        settings: How it is to answer.
        tell: Called with each piece of the answer's text as it comes, in order, on the thread of
            the event loop; `None` if nobody reads along. A model may leave it alone.
    """

    messages: tuple[Message, ...]
    mode: OutputMode = "text"
    schema: SchemaDocument | None = None
    schema_name: str = "answer"
    tools: tuple[ToolSpec, ...] = ()
    settings: ModelSettings = ModelSettings()
    tell: Callable[[str], None] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """What a model can do beyond text.

    Attributes:
        has_schemas: It takes a JSON Schema of its output.
        has_tools: It may ask for tool calls.
        has_both_at_once: It takes a schema of its output beside tools.
        gives: JSON Schema of all that it ever answers, of a model that answers one thing only;
            `None` if it answers what it is asked for.
    """

    has_schemas: bool = False
    has_tools: bool = False
    has_both_at_once: bool = True
    gives: SchemaDocument | None = None


class Model(Protocol):
    """A language model."""

    @property
    def name(self) -> str:
        """What is configured, e.g. `openai:gpt-5-mini`; part of an agent's fingerprint."""
        ...

    @property
    def pinned(self) -> str | None:
        """The snapshot that has to answer, as the provider names it; `None` for any."""
        ...

    @property
    def features(self) -> Features:
        """What it can do."""
        ...

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Send one request and wait for the whole answer; nothing is tried again here.

        Raises:
            Failure: It did not answer; the class says how that is to be treated.
            asyncio.CancelledError: Nobody waits any more; the request is given up.
        """
        ...
