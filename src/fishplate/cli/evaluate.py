"""`fishplate eval`: how often an agent is right on labelled cases."""

import asyncio
import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Final

from fishplate.agents.agent import AnyAgent
from fishplate.app import App
from fishplate.cli.command import Command, ExitCode, add_target
from fishplate.cli.screen import Screen
from fishplate.cli.targets import load_agent
from fishplate.contracts.json import resolve_pointer
from fishplate.core.errors import ErrorClass, Failure, JsonError, JsonValue
from fishplate.core.outcome import DeclaredError
from fishplate.quality import Dataset, Prediction, Proportion, evaluate, predict

_AT_A_TIME: Final = 8
_WHOLE_EXPECTED: Final = (
    "each 'expected' has a part at {at} itself, as if it were a whole output: --at takes that part "
    "of the output alone. Write the part as 'expected', or leave --at out"
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `eval` takes."""
    add_target(parser)
    parser.add_argument(
        "--data",
        metavar="FILE.jsonl",
        required=True,
        help='one case per line: {"input": ..., "expected": ...}, and "id" if wanted',
    )
    parser.add_argument(
        "--at",
        metavar="POINTER",
        default="",
        help="JSON pointer to the part of an output that is compared, e.g. /kind",
    )
    parser.add_argument(
        "--at-least",
        metavar="RATE",
        type=_rate,
        help="exit 1 unless the lower end of the accuracy's interval is this high, e.g. 0.9",
    )


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Ask the agent about every case and print how often it was right."""
    loaded = load_agent(arguments.target)
    dataset = Dataset.load(Path(arguments.data))
    # Before the first case is asked: a wrong pointer would cost a whole evaluation.
    evaluate(dataset, (), at=arguments.at)
    if arguments.at and all(_holds(case.expected, arguments.at) for case in dataset.cases):
        screen.note([_WHOLE_EXPECTED.format(at=arguments.at)], style="yellow")
    if loaded.is_chosen:
        screen.note([f"evaluating {loaded.agent.about.subject} ({loaded.agent.about.where})"])
    app = loaded.app()
    label = app.release(loaded.agent).label
    predictions = asyncio.run(_predictions(app, loaded.agent, dataset, screen))
    evaluation = evaluate(dataset, predictions, at=arguments.at)
    if screen.as_json:
        agent: dict[str, JsonValue] = {"agent": loaded.agent.name, "release": label}
        screen.document({**agent, **evaluation.to_json()})
    else:
        screen.lines([f"{loaded.agent.name} {label}"], style="bold")
        screen.lines(evaluation.to_text().split("\n"))
    return _verdict(evaluation.accuracy, arguments.at_least, screen)


COMMAND: Final = Command(
    name="eval",
    summary="count how often an agent is right",
    description=(
        "Run an agent on labelled cases and print its accuracy with a 95 % Wilson interval, what\n"
        "was taken for what, and every failure. A case that fails is a wrong answer.\n"
        "--at-least asks the lower end of the interval, so that a few lucky cases do not pass."
    ),
    examples=("eval shop.py:intent --data cases.jsonl --at /kind --at-least 0.9",),
    add_arguments=add_arguments,
    execute=execute,
)


def _rate(text: str) -> float:
    """A share as a number: 0.9, and not 90."""
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate <= 1:
        message = f"{text!r} is no rate: write 0.9 for 90 %"
        raise ArgumentTypeError(message)
    return rate


def _verdict(accuracy: Proportion, wanted: float | None, screen: Screen) -> ExitCode:
    """Whether the evaluation shows the accuracy that is asked for."""
    lower = accuracy.interval.lower
    if wanted is None or lower >= wanted:
        return ExitCode.OK
    better = "Ask more cases" if accuracy.share >= wanted else "Make it right more often"
    message = f"not shown to be at least {wanted:g}: the lower end is {lower:.3f}. {better}"
    screen.note([message], style="red")
    return ExitCode.FAILED


def _holds(expected: JsonValue, pointer: str) -> bool:
    try:
        resolve_pointer(expected, pointer)
    except JsonError:
        return False
    return True


async def _predictions(
    app: App, agent: AnyAgent, dataset: Dataset, screen: Screen
) -> list[Prediction]:
    """Ask about several cases at a time."""
    found: list[Prediction] = []
    waiting = iter(dataset.cases)

    async def answer(document: JsonValue) -> JsonValue:
        try:
            result = await app.start_json(agent, document).result()
            subject = f"the output of {agent.about.subject}"
            return agent.signature.output.encode(result, subject=subject)
        except DeclaredError as error:
            code, text = error.code, str(error)
            raise Failure(text, error_class=ErrorClass.PERMANENT, code=code) from error

    async def work() -> None:
        for case in waiting:
            found.extend(await predict(Dataset((case,)), answer))
            screen.progress(f"{len(found)} of {len(dataset.cases)} cases")

    try:
        async with app, asyncio.TaskGroup() as workers:
            for _ in range(min(_AT_A_TIME, len(dataset.cases))):
                workers.create_task(work())
    finally:
        screen.progress("")
    return found
