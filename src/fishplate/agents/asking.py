"""What a model agent does: ask, let the model call tools, mend what breaks the contract.

Every request and every tool call is a call of the agent's body. So each has its own policies, span
and record, and a run that is taken up again asks no model and calls no tool a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from fishplate.agents.agent import AnyAgent, Call
from fishplate.agents.limits import Limits, Spending
from fishplate.contracts.json import canonical_json, parse_json
from fishplate.contracts.values import BrokenValueError
from fishplate.core.current import current
from fishplate.core.data import dataclass
from fishplate.core.errors import (
    ErrorClass,
    Failure,
    InputError,
    JsonError,
    JsonValue,
    OutputError,
    Violation,
)
from fishplate.core.outcome import DeclaredError
from fishplate.models.classified import Classified
from fishplate.models.model import (
    OUTPUT_TOOL,
    Conversation,
    Message,
    ModelAnswer,
    ModelSettings,
    ToolCall,
)
from fishplate.models.output import Reading, WireOutput, repair_text
from fishplate.models.prompt import first_messages
from fishplate.models.registry import Models

LENGTHENED: int = 2
"""Times as many tokens as before are allowed once to an answer that was cut off."""
UNKNOWN_SNAPSHOT: Final = "unknown"
"""Stands for the snapshot that answered, in a mark, where the provider names none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """How a model agent comes to its answer.

    Attributes:
        subject: What errors call it.
        prompt: Makes the question of the agent's arguments.
        output: What has to come back.
        settings: How the model is to answer.
        repairs: How often an answer that breaks the contract is asked for again.
        limits: Most that one answer may take.
    """

    subject: str
    prompt: Callable[..., object]
    output: WireOutput[Any]
    settings: ModelSettings
    repairs: int
    limits: Limits

    def question(self, arguments: tuple[object, ...]) -> tuple[Message, ...]:
        """The messages that a conversation begins with.

        Raises:
            Failure: The prompt function returned something else (code `bad_prompt`).
        """
        return first_messages(self.prompt(*arguments), self.subject)

    async def answer(self, unit: AnyAgent, arguments: tuple[object, ...]) -> object:
        """Ask until the answer keeps the contract, or until there is no point in asking again.

        Args:
            unit: The agent as it is used: its grants are the model and the tools.
            arguments: Its arguments.

        Raises:
            OutputError: The answer broke the contract to the end.
            Failure: It was refused (code `content_filter`), is too long (`answer_cut_off`), or
                took too much (`model_limit`); or a request or a tool failed.
        """
        return await _Talk(self, unit, self.question(arguments)).outcome()


class _Talk:
    """One conversation."""

    def __init__(self, asking: Asking, unit: AnyAgent, messages: tuple[Message, ...]) -> None:
        self._asking = asking
        self._messages = messages
        self._tools: Mapping[str, AnyAgent] = {tool.name: tool for tool in unit.about.tools}
        self._model, self._alias = _model_of(unit)
        self._marked: str | None = None
        self._spent = Spending(asking.subject, asking.limits)
        self._max_tokens: int | None = None
        self._repairs = 0
        self._broken: tuple[Violation, ...] = ()

    async def outcome(self) -> object:
        while True:
            answer = await self._asked()
            try:
                _check_came(answer)
                if answer.calls and not self._is_output(answer.calls):
                    await self._call_tools(answer)
                    continue
                reading = self._read(answer)
            except BrokenValueError as error:
                self._ask_again(answer, error.violations)
                continue
            if reading.is_mended:
                current().note(repaired="local")
            _note_confidence(reading.value)
            return reading.value

    async def _asked(self) -> ModelAnswer:
        while True:
            self._spent.begin_request()
            conversation = Conversation(messages=self._messages, max_tokens=self._max_tokens)
            answer = cast("ModelAnswer", await Call(self._model, (conversation,)))
            self._spent.end_request(self._messages, answer)
            self._mark_snapshot(answer)
            if answer.finish_reason == "content_filter":
                raise Failure(
                    f"the model refused to answer {self._asking.subject}",
                    error_class=ErrorClass.REFUSAL,
                    code="content_filter",
                )
            if answer.finish_reason != "length":
                return answer
            self._lengthen()

    def _mark_snapshot(self, answer: ModelAnswer) -> None:
        """Mark the answer, once, unless it is known that the pinned snapshot gave it."""
        pinned = current().resource(Models).get(self._alias).pinned
        answered = answer.snapshot or UNKNOWN_SNAPSHOT
        if pinned is None or answered in {pinned, self._marked}:
            return
        self._marked = answered
        is_unknown = answered == UNKNOWN_SNAPSHOT
        reason = "unconfirmed_snapshot" if is_unknown else "other_snapshot"
        current().degrade(reason, source=answered)

    def _lengthen(self) -> None:
        """Allow a longer answer, once; to cut off is no breach of the contract."""
        usual = self._asking.settings.max_tokens
        if usual is None or self._max_tokens is not None:
            tokens = "the provider's limit" if usual is None else f"{self._max_tokens} tokens"
            raise Failure(
                f"the answer to {self._asking.subject} was cut off at {tokens}: ask for less, or "
                "set ModelSettings(max_tokens=) higher",
                error_class=ErrorClass.CONTRACT_OUT,
                code="answer_cut_off",
            )
        self._max_tokens = LENGTHENED * usual
        _withdraw_text("lengthened")
        current().note(lengthened=self._max_tokens)

    def _is_output(self, calls: Sequence[ToolCall]) -> bool:
        """Whether a call is the answer; who is asked for text has no tool to give it by."""
        is_text = self._asking.output.is_text
        return not is_text and len(calls) == 1 and calls[0].name == OUTPUT_TOOL

    def _read(self, answer: ModelAnswer) -> Reading[Any]:
        text = answer.calls[0].arguments if answer.calls else answer.text
        return self._asking.output.read(text)

    async def _call_tools(self, answer: ModelAnswer) -> None:
        """Make the calls that a whole answer asks for, one after the other.

        Raises:
            BrokenValueError: One of them names no tool, has arguments that the tool does not take,
                or the id of another one; then none of them is made.
            Failure: They are too many, or no request may follow (code `model_limit`).
        """
        calls = [self._call(number, call) for number, call in enumerate(answer.calls)]
        ids = [call.id for call in answer.calls]
        for number, one in enumerate(ids):
            if one in ids[:number]:
                message = "another call of this answer has the same id: give each one its own"
                raise BrokenValueError(_of_call(number, "/id", message, "unique"))
        _withdraw_text("tool_calls")
        self._spent.add_tool_calls(len(calls))
        said = Message(role="assistant", text=answer.text, calls=answer.calls)
        results = [
            Message(role="tool", text=await _result(made), answers=call.id)
            for call, made in zip(answer.calls, calls, strict=True)
        ]
        self._messages = (*self._messages, said, *results)

    def _call(self, number: int, call: ToolCall) -> Call[object]:
        tool = self._tools.get(call.name)
        if tool is None:
            names = ", ".join(map(repr, self._tools)) or "none"
            instead = (
                "give the answer alone, when no tool is needed any more"
                if call.name == OUTPUT_TOOL and not self._asking.output.is_text
                else f"there is no tool {call.name[:64]!r}; the tools are: {names}"
            )
            raise BrokenValueError(_of_call(number, "/name", instead, "enum"))
        try:
            document = parse_json(call.arguments or "{}")
            _check_names(number, tool, document)
            arguments = tool.signature.decode(document, subject=f"the arguments of {tool.name!r}")
        except JsonError as error:
            message = f"the arguments of {tool.name!r} are no JSON: {error.message}"
            raise BrokenValueError(_of_call(number, "/arguments", message, "json")) from None
        except InputError as error:
            raise BrokenValueError(
                *(
                    replace(found, pointer=f"/calls/{number}/arguments{found.pointer}")
                    for found in error.violations
                )
            ) from None
        return Call(tool, arguments)

    def _ask_again(self, answer: ModelAnswer, violations: tuple[Violation, ...]) -> None:
        """Tell the model what is wrong.

        Raises:
            OutputError: That was said often enough, or the same is wrong as before.
        """
        if self._repairs >= self._asking.repairs or violations == self._broken:
            raise OutputError(f"the model's answer to {self._asking.subject}", violations)
        self._repairs += 1
        _withdraw_text("repaired")
        self._broken = violations
        pointers: list[JsonValue] = [found.pointer for found in violations[:10]]
        current().note(repairs=self._repairs, violations=pointers)
        text = repair_text(violations)
        told: Sequence[Message] = [Message(role="user", text=text)]
        if answer.calls:  # providers ask for an answer to each
            told = [Message(role="tool", text=text, answers=call.id) for call in answer.calls]
        if answer.calls or answer.text.strip():  # some providers take no message without a word
            told = [Message(role="assistant", text=answer.text, calls=answer.calls), *told]
        self._messages = (*self._messages, *told)


def _note_confidence(value: object) -> None:
    """Keep how sure a classification is, though contents may not be kept; its label is content."""
    if isinstance(value, Classified):
        current().note(confidence=cast("Classified[str]", value).confidence)


def _withdraw_text(reason: str) -> None:
    """Tell who reads along that what the model has said so far is not the answer."""
    call = current()
    if call.run.text is not None:
        call.run.text.withdraw(call.path, reason)


def _model_of(unit: AnyAgent) -> tuple[AnyAgent, str]:
    """The request that an agent makes to its model, and the alias of that."""
    found = ((one, one.about.asks) for one in unit.grants.values())
    ((request, alias),) = ((one, asks.alias) for one, asks in found if asks is not None)
    return request, alias


def _check_came(answer: ModelAnswer) -> None:
    """Refuse an answer without an answer.

    Calls without the finish reason `tool_call` are taken: several providers call that `stop`.

    Raises:
        BrokenValueError: It says that it calls tools and calls none, or it says nothing at all.
    """
    if answer.calls:
        return
    if answer.finish_reason == "tool_call":
        message = "the answer ended to have tools called, and calls none"
        raise BrokenValueError(Violation(pointer="/calls", message=message, keyword="minItems"))
    if not answer.text.strip():
        thought = "thoughts came, and no answer" if answer.reasoning else "the answer is empty"
        raise BrokenValueError(Violation(pointer="", message=thought, keyword="minLength"))


def _of_call(number: int, place: str, message: str, keyword: str) -> Violation:
    return Violation(pointer=f"/calls/{number}{place}", message=message, keyword=keyword)


def _check_names(number: int, tool: AnyAgent, document: JsonValue) -> None:
    """Refuse an argument that a tool does not have: with it left out, a default would decide.

    Raises:
        BrokenValueError: There is one.
    """
    schema = tool.signature.takes.json
    if not isinstance(schema, dict) or not isinstance(document, dict):
        return
    known = schema.get("properties")
    if not isinstance(known, dict) or schema.get("additionalProperties"):
        return
    unknown = [name for name in document if name not in known]
    if unknown:
        message = f"{tool.name!r} has no argument {unknown[0][:64]!r}; it has: {', '.join(known)}"
        raise BrokenValueError(_of_call(number, "/arguments", message, "additionalProperties"))


async def _result(call: Call[object]) -> str:
    """What a tool gave, as JSON; an error that it declares is an answer too."""
    try:
        value = await call
    except DeclaredError as error:
        return canonical_json(error.to_model().model_dump(mode="json")).decode()
    return call.agent.signature.output.to_json(value).decode()
