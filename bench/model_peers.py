"""The row `model` in other frameworks: the same question, each with a fake model of its own kind.

Each is measured as its users have it, with its defaults; none sends anything. One that is not
installed is left out and named.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, cast

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from bench.measure import Work

OPENAI_AGENTS: Final = "openai-agents"
HOW: Final = "python3 dev.py bench installs it, from bench/peers.txt"


def peers(*, system: str, user: str, output: type[BaseModel], text: str) -> dict[str, Work]:
    """One question each, by name.

    Args:
        system: What the model is told.
        user: What it is asked.
        output: What has to come back.
        text: What the model always says: JSON of an output.
    """
    found: dict[str, Work] = {"pydantic-ai Agent": _by_pydantic_ai(system, user, output, text)}
    if not missing():
        found["OpenAI Agents SDK"] = _by_openai_agents(system, user, output, text)
    return found


def missing() -> tuple[str, ...]:
    """What cannot be compared with, since it is not installed."""
    return () if find_spec("agents") is not None else (OPENAI_AGENTS,)


def _by_pydantic_ai(system: str, user: str, output: type[BaseModel], text: str) -> Work:
    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:  # noqa: ARG001 -- as it is called
        return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, text)])

    agent = Agent(FunctionModel(answer), output_type=output, instructions=system)

    async def ask() -> object:
        return (await agent.run(user)).output

    return ask


def _by_openai_agents(system: str, user: str, output: type[BaseModel], text: str) -> Work:
    # It is not in the lock, so no checker can read it.
    sdk = cast("Any", import_module("agents"))
    said = cast("Any", import_module("openai.types.responses"))
    part = said.ResponseOutputText(type="output_text", text=text, annotations=[])
    message = said.ResponseOutputMessage(
        id="1", type="message", role="assistant", status="completed", content=[part]
    )

    class Same(sdk.Model):  # type: ignore[misc]  # its base is read at run time
        """A model that always says the same."""

        async def get_response(self, *_: object, **__: object) -> Any:
            """Give the answer."""
            return sdk.ModelResponse(output=[message], usage=sdk.Usage(), response_id=None)

        def stream_response(self, *_: object, **__: object) -> Any:
            """Nobody asks for one."""
            raise NotImplementedError

    sdk.set_trace_processors([])  # spans are made as always, and sent nowhere
    agent = sdk.Agent(name="reading", instructions=system, model=Same(), output_type=output)

    async def ask() -> object:
        return (await sdk.Runner.run(agent, user)).final_output

    return ask
