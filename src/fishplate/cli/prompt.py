"""`fishplate prompt`: what a model agent would send to its model; nothing is sent."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final, cast

from fishplate.agents.limits import tokens_of
from fishplate.agents.model import ModelAgent
from fishplate.app import App
from fishplate.cli.command import Command, ExitCode, add_target
from fishplate.cli.documents import read_json
from fishplate.cli.screen import Screen
from fishplate.cli.sent import EVERYTHING, frame_lines, message_lines
from fishplate.cli.targets import load_agent
from fishplate.core.errors import Failure, JsonValue, UsageError
from fishplate.models.model import Features, ModelRequest
from fishplate.models.prompt import Prompt, check_prompt


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `prompt` takes."""
    add_target(parser)
    parser.add_argument(
        "-i",
        "--input",
        metavar="JSON",
        required=True,
        help="the input: JSON, @file.json, or - for stdin",
    )


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Print the first request to the model."""
    loaded = load_agent(arguments.target)
    agent = loaded.agent
    if not isinstance(agent, ModelAgent):
        message = f"{agent.about.subject} asks no model: name one that @model_agent made"
        raise UsageError(message, code="not_a_model_agent")
    document = read_json(arguments.input, option="--input")
    given = agent.signature.decode(document, subject=f"the input of {agent.about.subject}")
    prompt = cast("object", agent.prompt(*given))  # its annotation may be wrong
    try:
        check_prompt(prompt, agent.about.subject)
    except Failure as error:
        raise UsageError(error.message, code=error.code) from None
    model = _model_of(agent, loaded.declared_app())
    features = EVERYTHING if model is None else model[1]
    request = agent.first_request(cast("Prompt[object]", prompt), features)
    name = "no app says which" if model is None else model[0]
    if screen.as_json:
        screen.document(_as_json(agent, name, request))
    else:
        screen.lines([f"{agent.about.subject} asks {agent.alias!r} ({name})"], style="bold")
        screen.lines(_lines(request))
    return ExitCode.OK


COMMAND: Final = Command(
    name="prompt",
    summary="print what a model agent would send to its model",
    description=(
        "Print the messages, the schema of the output and the tools that a model agent would send\n"
        "for an input, with a rough count of the tokens. Nothing is sent."
    ),
    examples=("""prompt shop.py:intent --input '{"text": "Where is my order?"}'""",),
    add_arguments=add_arguments,
    execute=execute,
)


def _model_of(agent: ModelAgent[..., object], app: App | None) -> tuple[str, Features] | None:
    """Name and features of the model that the app of the module means."""
    model = None if app is None else app.models.get(agent.alias)
    return None if model is None else (model.name, model.features)


def _lines(request: ModelRequest) -> Iterator[str]:
    yield f"output: {request.mode}; about {tokens_of(request)} tokens"
    yield from message_lines(request.messages)
    yield from frame_lines(request)


def _as_json(agent: ModelAgent[..., object], name: str, request: ModelRequest) -> JsonValue:
    return {
        "agent": agent.name,
        "alias": agent.alias,
        "model": name,
        "mode": request.mode,
        "messages": [{"role": one.role, "text": one.text} for one in request.messages],
        "schema": request.schema,
        "tools": [
            {"name": tool.name, "description": tool.description, "schema": tool.schema}
            for tool in request.tools
        ],
        "estimated_tokens": tokens_of(request),
    }
