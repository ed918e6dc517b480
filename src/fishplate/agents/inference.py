"""One request of a model agent to its model: a call of its own, with policies, span and record."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any, Final, NoReturn, cast

from fishplate.agents.agent import misfit
from fishplate.agents.limits import tokens_of
from fishplate.contracts.fits import fits
from fishplate.contracts.keywords import SchemaDocument
from fishplate.contracts.schema import Schema
from fishplate.core.current import Current, current
from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, Failure, JsonValue, Problem
from fishplate.core.spending import MOST_TOKENS, add_cost, add_count, is_count
from fishplate.core.text import TextAttempt
from fishplate.models.model import (
    OUTPUT_TOOL,
    Conversation,
    Features,
    Message,
    Model,
    ModelAnswer,
    ModelRequest,
    ModelSettings,
    ToolSpec,
)
from fishplate.models.output import WireOutput, instructions
from fishplate.models.prompt import EMPTY_PROMPT, is_blank
from fishplate.models.registry import Models, no_model
from fishplate.models.surrogates import has_halves, telling, without_halves

# A provider that answers so has not begun; whatever else goes wrong, it may have counted tokens.
_TOOK_NOTHING: Final = frozenset(
    {
        ErrorClass.RATE_LIMITED,
        ErrorClass.QUOTA_EXHAUSTED,
        ErrorClass.OVERLOAD,
        ErrorClass.PERMANENT,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Inference:
    """How one agent asks its model.

    Attributes:
        agent: Name of the agent.
        alias: What its code calls the model.
        where: `file:line` of its prompt function.
        output: What has to come back.
        tools: What the model may ask for.
        settings: How it is to answer.
    """

    agent: str
    alias: str
    where: str
    output: WireOutput[Any]
    tools: tuple[ToolSpec, ...]
    settings: ModelSettings

    async def request(self, conversation: Conversation) -> ModelAnswer:
        """Ask the model once.

        Raises:
            Failure: It did not answer; or what it gave is no answer (code `bad_model_answer`),
                which is a mistake in the code of the model, so that asking again would not help;
                or there was nothing to ask (`empty_prompt`).
        """
        call = current()
        models = call.resource(Models)
        model = models.get(self.alias)
        # What answers one thing only, such as a classifier, has an answer to nothing too.
        if model.features.gives is None and is_blank(conversation.messages):
            raise Failure(
                f"the prompt that {self.agent!r} made of its input is blank, so that "
                f"{self.alias!r} was not asked: leave blank inputs out before they come here",
                error_class=ErrorClass.CONTRACT_IN,
                code=EMPTY_PROMPT,
            )
        call.note(model=model.name)
        add_count(call, "requests", 1)
        request = self.request_of(conversation, model.features)
        feed = call.run.text if self.output.is_text else None
        try:
            if feed is None:
                answer = self._readable(call, _whole(model, await _asked(model, request)))
            else:
                answer = await self._read_along(feed.begin(call.path), model, request)
        except BaseException as error:
            if not isinstance(error, Failure) or error.error_class not in _TOOK_NOTHING:
                add_count(call, "unpriced_requests", 1)
            raise
        answer = models.priced(model, answer, call.now())
        _tell(call, answer)
        if answer.finish_reason == "error":
            raise Failure(
                f"the model {self.alias!r} ended its answer to {self.agent!r} with an error",
                error_class=ErrorClass.TRANSIENT,
                code="model_error",
            )
        return answer

    async def _read_along(
        self, attempt: TextAttempt, model: Model, request: ModelRequest
    ) -> ModelAnswer:
        """Ask a model while somebody reads along."""
        tell_whole = telling(attempt.tell)

        def tell(piece: object) -> None:
            if not isinstance(piece, str):
                _refuse(model, "told", piece)
            tell_whole(piece)

        with attempt:
            said = _whole(model, await _asked(model, replace(request, tell=tell)))
            answer = self._readable(current(), said)
            if answer.finish_reason == "error":
                attempt.withdraw("model_error")
            else:
                attempt.finish(answer.text)
            return answer

    def _readable(self, call: Current, answer: ModelAnswer) -> ModelAnswer:
        """The answer as it can be recorded: without halves of characters."""
        if not has_halves(answer):
            return answer
        if self.output.is_text:
            call.note(repaired="local")
        return without_halves(answer, is_text=self.output.is_text)

    def request_of(self, conversation: Conversation, features: Features) -> ModelRequest:
        """What is sent to a model that can do what `features` say."""
        mode, schema = (
            self.output.mode(features, has_tools=bool(self.tools)),
            self.output.schema,
        )
        messages, tools = conversation.messages, self.tools
        if mode == "tool" and schema is not None:
            tools = (*tools, _output_tool(schema))
        elif mode == "prompted" and schema is not None:
            messages = _told(messages, schema)
        settings = self.settings
        if conversation.max_tokens is not None:
            settings = ModelSettings(
                max_tokens=conversation.max_tokens,
                temperature=settings.temperature,
                seed=settings.seed,
            )
        return ModelRequest(
            messages=messages,
            mode=mode,
            schema=schema,
            schema_name=self.agent,
            tools=tools,
            settings=settings,
        )

    def estimated_tokens(self, arguments: tuple[object, ...]) -> int:
        """Roughly what goes in, and the most that may come out where the settings say it."""
        (conversation,) = arguments
        # Whatever the model can do, the schema goes out with the tools or in words.
        request = self.request_of(cast("Conversation", conversation), Features(has_tools=True))
        return tokens_of(request) + (request.settings.max_tokens or 0)

    def used_tokens(self, result: object) -> int | None:
        """What the provider counted."""
        return cast("ModelAnswer", result).usage.total

    def problem(self, models: Mapping[str, object]) -> Problem | None:
        """Why an app with these models cannot run the agent."""
        found = models.get(self.alias)
        if found is None:
            message = f"model agent {self.agent!r}: {no_model(self.alias, models)}"
            return Problem(code="unknown_model", message=message, where=self.where)
        model = cast("Model", found)
        if self.tools and not model.features.has_tools:
            message = (
                f"model agent {self.agent!r} has tools, and the model {model.name!r} behind "
                f"{self.alias!r} takes none: configure one that does, or leave out tools="
            )
            return Problem(code="missing_feature", message=message, where=self.where)
        if model.features.gives is not None:
            return self._misfit(model, model.features.gives)
        return None

    def _misfit(self, model: Model, gives: SchemaDocument) -> Problem | None:
        """Why a model that answers one thing only cannot give what the agent has to."""
        wanted = self.output.shape
        verdict = fits(Schema(gives), wanted.takes)
        if verdict.verdict == "fits":
            return None
        message = (
            f"model agent {self.agent!r} gives {wanted.name!r}, and the model {model.name!r} "
            f"behind {self.alias!r} gives one thing only, which does not fit: {verdict.reason}. "
            "Configure another model, or take what it gives"
        )
        return misfit("missing_feature", message, verdict, self.where)

    def model_name(self, models: Mapping[str, object]) -> str | None:
        """Name of the model that is meant, with its pinned snapshot; `None` if there is none."""
        found = models.get(self.alias)
        if found is None:
            return None
        model = cast("Model", found)
        return model.name if model.pinned is None else f"{model.name}@{model.pinned}"

    def to_json(self) -> dict[str, JsonValue]:
        """What belongs to the release."""
        return {
            "alias": self.alias,
            "schema": self.output.schema,
            "tools": [[tool.name, tool.description, tool.schema] for tool in self.tools],
            "settings": {
                "max_tokens": self.settings.max_tokens,
                "temperature": self.settings.temperature,
                "seed": self.settings.seed,
            },
        }


def _asked(model: Model, request: ModelRequest) -> Awaitable[object]:
    """What a model was asked, to be awaited; its code may give something else."""
    found: object = model.request(request)
    return found if inspect.isawaitable(found) else _refuse(model, "returned", found)


def _whole(model: Model, found: object) -> ModelAnswer:
    return found if isinstance(found, ModelAnswer) else _refuse(model, "returned", found)


def _refuse(model: Model, did: str, found: object) -> NoReturn:
    """Refuse what a model gave; of what is no answer only the type is told."""
    wanted = "text" if did == "told" else "a ModelAnswer from its async method request"
    raise Failure(
        f"the model {model.name!r} {did} a {type(found).__name__!r}: it has to give {wanted}",
        error_class=ErrorClass.BUG,
        code="bad_model_answer",
    )


def _output_tool(schema: SchemaDocument) -> ToolSpec:
    return ToolSpec(
        name=OUTPUT_TOOL, description="Give the answer. Call it once, at the end.", schema=schema
    )


def _told(messages: tuple[Message, ...], schema: SchemaDocument) -> tuple[Message, ...]:
    text = instructions(schema)
    first = messages[0]
    if first.role == "system":
        return (Message(role="system", text=f"{first.text}\n\n{text}"), *messages[1:])
    return (Message(role="system", text=text), *messages)


def _tell(call: Current, answer: ModelAnswer) -> None:
    """What is not known is left out, so that it is never taken for nothing."""
    call.note(finish_reason=answer.finish_reason)
    if answer.snapshot is not None:
        call.note(snapshot=answer.snapshot)
    cost = answer.cost
    if cost.nanos is None or not add_cost(call, cost.nanos, cost.currency):
        add_count(call, "unpriced_requests", 1)
    else:
        assert call.attributes is not None, "the cost stands there"
        call.attributes["cost_source"] = cost.source
    if answer.reasoning:
        call.note(reasoning_parts=len(answer.reasoning))
    for word in (
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    ):
        count: int | None = getattr(answer.usage, word)
        if count is not None and is_count(count, MOST_TOKENS):
            add_count(call, word, count)
